"""PTB tokens as the COCO caption metrics want them: lower case, clitics split, punctuation tokens dropped.

The reference is Stanford's PTBTokenizer (3.4.1, a jar inside pycocoevalcap). For captions of ordinary words, which are
nearly all there are, the rules below give exactly its tokens: tests compare them on every caption of UCM-Captions
and RSICD and on generated ones. Any other caption (brackets, quotes, decimals, accents …) goes to the jar where there
is a Java runtime; where there is none the rules are used all the same, and the number of such captions is reported.
Each caption is tokenised by itself: no line break in it and no caption after it changes another's tokens, which
pycocoevalcap does not promise.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which

# What pycocoevalcap drops. It names the brackets in upper case but compares with lower-case tokens: they survive.
DROPPED = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_SPLIT = {
    "cannot": "can not", "gimme": "gim me", "gonna": "gon na", "gotta": "got ta", "lemme": "lem me", "wanna": "wan na",
}  # fmt: skip
# Words that keep a full stop, besides single letters; found by asking the jar for all words of up to five letters
# and for the 41,564 words of METEOR's paraphrase table.
_ABBREVIATION = r"""(?: [a-z] |
    al | cf | co | ct | dr | ft | ga | jr | ky | lt | md | mo | mr | ms | mt | ph | rd | rt | sq | sr | st |
    va | vs | vt | wm | adj | adm | adv | ala | apr | aug | ave | bhd | cie | col | cos | cpl | dak | dec |
    det | drs | ens | esq | est | etc | ext | feb | fla | fri | gen | gov | hon | inc | ind | jan | jos |
    jul | jun | kan | ltd | maj | mar | mfg | mme | mon | mrs | mtg | neb | nev | nov | oct | pfc | plc |
    pte | pty | pvt | rep | rev | sen | sep | seq | sfc | sgt | spc | ste | sys | tel | thu | tue | wed |
    wis | wyo | alex | ariz | assn | asst | atty | bldg | blvd | brig | bros | capt | cmdr | colo | conn |
    corp | dept | elec | govs | insp | intl | invt | kans | mich | minn | mlle | mont | msgr | natl | okla |
    penn | ppte | ppty | pres | prof | ptes | ptys | reps | sens | sept | supt | tenn | tues | univ | wisc |
    assoc | attys | calif | comdr | lieut | pptes | pptys | profs | supts | thurs | treas | messrs | bancorp
)\."""
_TOKEN = re.compile(
    rf"""
      (?<![a-z0-9_-]){_ABBREVIATION}(?!\S)        # "st.", but not the end of a compound
    | [a-z]+(?=n't\b) | n't\b                     # does n't
    | [a-z0-9]+(?:[-_][a-z0-9]+)*
    | '(?:s|re|ve|ll|d|m)\b                      # there 's
    | \#[a-z]+
    | \.\.\. | -- | \S
    """,
    re.VERBOSE,
)
_WORD = r"[a-z]+(?:[-_][a-z]+)*"
# A full stop behind these is kept or not by what follows, even on the next line; split words take no 's.
_RISKY = (
    r"(?:[a-z]|no|nos|prop|ph|figs?|eqs?|mass|miss|ill|wash|sun|sat|may)\.|(?:"
    + "|".join(_SPLIT)
    + ")'|[a-z]'s"
)
_END = r"(?:[ ]+(?!\d)|$)"
_TIGHT = r"(?=[a-z]+(?![-_a-z]))"  # "roofs,trees" are two words, "roofs,palm-trees" is one to the jar
_ORDINARY = re.compile(
    rf"(?:(?!\b(?:{_RISKY}))(?:{_WORD}(?:'s)?|\d{{1,4}})"
    rf"(?:(?<!\d),{_TIGHT}|[,;]?(?:[ ]+|$)|(?<!\d)[.!?]{_END})|[,;.](?:{_END}|{_TIGHT}))*"
)
_CURLY = str.maketrans("‘’", "''")


@dataclass(frozen=True)
class Tokenised:
    """Captions as space-separated tokens; ``approximate`` of them were not ordinary and the jar could not be asked,
    for the reason ``why``."""

    captions: list[str]
    approximate: int
    why: str = ""


def java() -> str | None:
    """The Java runtime's path, or None."""
    return which("java")


def one_line(caption: str) -> str:
    """Line separators of every kind (CR, VT, FF, NEL, U+2028 …) become spaces: they would shift later captions.

    Half a surrogate pair, which JSON may hold and no file may, becomes a question mark.
    """
    return " ".join(caption.splitlines()).strip().encode("utf-8", "replace").decode("utf-8")


def is_ordinary(caption: str) -> bool:
    """Whether the rules of this module are known to give the jar's tokens for this caption."""
    return caption.isascii() and _ORDINARY.fullmatch(caption.lower()) is not None


def tokenise_by_rules(caption: str) -> str:
    """The tokens of one caption, space-separated, by the rules of this module alone."""
    words = _TOKEN.findall(caption.lower().translate(_CURLY))
    return " ".join(_SPLIT.get(word) or _BRACKETS.get(word, word) for word in words if word not in DROPPED)


def tokenise(captions: Sequence[str], runtime: str | None = "auto") -> Tokenised:
    """The tokens of every caption, in order. ``runtime``: Java's path; "auto" looks for it, None does without."""
    lines = [one_line(caption) for caption in captions]
    tokens = {line: tokenise_by_rules(line) for line in dict.fromkeys(lines)}
    special = sorted(line for line in tokens if not is_ordinary(line))
    if not special:
        return Tokenised([tokens[line] for line in lines], 0)
    jar = tokeniser_jar()
    if runtime == "auto":
        runtime = java()
    why = "Stanford's tokeniser needs Java" if not runtime else "Stanford's tokeniser needs pycocoevalcap"
    if runtime and jar:
        try:
            tokens |= zip(special, tokenise_by_jar(special, runtime, jar), strict=True)
            why = ""
        except (OSError, subprocess.CalledProcessError) as error:
            # A java that is none (macOS has such a stub) must not cost the whole evaluation.
            why = f"Stanford's tokeniser failed: {error}"
    odd = set(special) if why else set()
    return Tokenised([tokens[line] for line in lines], sum(line in odd for line in lines), why)


@cache
def tokeniser_jar() -> Path | None:
    """Stanford's jar inside an installed pycocoevalcap, or None."""
    try:
        from pycocoevalcap.tokenizer import ptbtokenizer
    except ImportError:
        return None
    path = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    return path if path.is_file() else None


def tokenise_by_jar(lines: Sequence[str], runtime: str, jar: Path) -> list[str]:
    """Stanford's tokens of non-empty lines, punctuation dropped. UTF-8 whatever the locale says.

    An empty line follows each: the jar looks ahead, and what begins with a digit changes a "no." or "fig." at the end
    of the line before it. Raises OSError or CalledProcessError where the runtime does not do its work.
    """
    handle, name = tempfile.mkstemp(suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n\n" for line in lines)
        command = [runtime, "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", str(jar)]
        command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", name]
        done = subprocess.run(command, capture_output=True, check=True)
    finally:
        os.unlink(name)
    found = done.stdout.decode("utf-8").split("\n")[: 2 * len(lines) : 2]
    assert len(found) == len(lines), f"the tokeniser gave {len(found)} lines for {len(lines)} captions"
    # Single spaces only: the jar writes a fraction ("1 1/2") as one token with a no-break space in it.
    return [" ".join(word for word in line.rstrip().split(" ") if word not in DROPPED) for line in found]
