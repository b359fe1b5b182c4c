"""Reading a count from text, and writing a number in words.

The rules are those of the counting protocol: thousands separators, decimals, signs, number words of any size, "a dozen",
"no" and "none"; whole words only ("fourteen" is not 4, "three-story" is not 3, "2nd" and "90%" are no counts);
a range ("3-5", "over 20", "10+") or two different numbers cannot be read.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_UNITS = {word: value for value, word in enumerate(_ONES) if value}
_TEENS_AND_UNITS = _UNITS
_TENS_VALUE = {word: 10 * value for value, word in enumerate(_TENS, start=2)} | {"fourty": 40}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NOTHING = {"no", "none", "zero", "nil", "nought"}
_LONGEST_DIGITS = 18  # beyond that it is no count, and int() has a length limit of its own

_TOKEN = re.compile(
    r"""
      (?P<number>(?<![\w.,])[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?![\w%]|[.,][0-9]|\ ?percent\b))
    | (?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*(?![\w-]))
    | (?P<glued>\w+)
    | (?P<mark>\S)
    """,
    re.VERBOSE,
)
# "about 20" is one number; these say that the number is only a bound.
_OPEN_RANGE = re.compile(
    r"[<>≤≥]\s*=?\s*[0-9]|[0-9]\s*\+(?!\s*[0-9])"
    r"|\b(?:(?:more|less|fewer|greater|larger|smaller) than|at (?:least|most)|up to|over|under|below|above|"
    r"(?:a )?minimum of|(?:a )?maximum of)\s+(?:\w+\s+)?(?:[0-9]|@)"
)


def parse_number(text: str) -> Decimal | None:
    """The one number that ``text`` gives, or None where it gives none, a range, or two different ones."""
    tokens, plain = _tokens(text)
    if tokens is None:
        return None
    if _OPEN_RANGE.search(plain):
        return None
    found = _numbers(tokens)
    return found[0] if len(found) > 0 and all(value == found[0] for value in found) else None


def parse_count(text: str) -> int | None:
    """The count that ``text`` gives; None where :func:`parse_number` gives none or where it is not whole."""
    value = parse_number(text)
    return int(value) if value is not None and value == value.to_integral_value() else None


def number_to_words(value: int) -> str:
    """English words, hyphenated below hundred, without "and": 1234 → "one thousand two hundred thirty-four"."""
    if value < 0:
        return "minus " + number_to_words(-value)
    if value < 20:
        return _ONES[value]
    if value < 100:
        ten, one = divmod(value, 10)
        return _TENS[ten - 2] + (f"-{_ONES[one]}" if one else "")
    for name, scale in (*reversed(_SCALES.items()), ("hundred", 100)):
        if value >= scale:
            many, rest = divmod(value, scale)
            return f"{number_to_words(many)} {name}" + (f" {number_to_words(rest)}" if rest else "")
    raise AssertionError(value)


def _tokens(text: str) -> tuple[list[str] | None, str]:
    """Lower-case words, digits and marks; and the text with number words replaced by "@" for the range rules."""
    # Non-breaking and thin spaces group thousands; ordinary ones separate two numbers.
    text = re.sub(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))", ",", text)
    text = unicodedata.normalize("NFKC", text).lower()
    text = text.replace("−", "-").replace("’", "'")
    text = re.sub(r"[‐‑‒–—]", "-", text)
    text = re.sub(r"[*_`\"]+", " ", text)
    if re.search(r"[0-9]\s*-\s*[0-9]", text):
        pair = re.findall(r"([0-9][0-9,.]*)\s*-\s*([0-9][0-9,.]*)", text)
        if any(a != b for a, b in pair):
            return None, text
        text = re.sub(r"([0-9])\s*-\s*(?=[0-9])", r"\1 ", text)
    tokens: list[str] = []
    plain: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "word":
            parts = token.split("-")
            if len(parts) > 1 and not all(_is_number_word(part) for part in parts):
                parts = [token]  # "three-story", "twenty-first": the whole compound is the word
            tokens += parts
            plain.append("@" if all(_is_number_word(part) for part in parts) else token)
        elif match.lastgroup == "number" and len(token) > _LONGEST_DIGITS:
            tokens.append("#")
            plain.append("#")
        else:
            tokens.append(token)
            plain.append(token)
    return tokens, " ".join(plain)


def _is_number_word(word: str) -> bool:
    return word in _UNITS or word in _TENS_VALUE or word in _SCALES or word in ("hundred", "dozen")


def _is_digits(token: str) -> bool:
    return token[-1].isdigit() and token.isascii() and token.lstrip("+-")[0].isdigit()


def _numbers(tokens: list[str]) -> list[Decimal]:
    found: list[Decimal] = []
    nothing = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token in _NOTHING:
            # "no, there are 5": an interjection, not a zero, when a number follows the comma.
            interjection = token == "no" and at + 1 < len(tokens) and tokens[at + 1] in ",;.!:-"
            nothing |= interjection
            if not interjection:
                found.append(Decimal(0))
            at += 2 if at + 1 < len(tokens) and tokens[at + 1] == "one" and token == "no" else 1
            continue
        value, after = _read(tokens, at)
        if value is None:
            at += 1
            continue
        if token in ("minus", "negative"):
            value = -value
        found.append(value)
        at = after
    return found or ([Decimal(0)] if nothing else [])


def _read(tokens: list[str], start: int) -> tuple[Decimal | None, int]:
    """The number that begins at ``start`` and where it ends, or (None, start)."""
    at = start
    if tokens[at] in ("minus", "negative"):
        at += 1
    total: Decimal | None = None
    ceiling: Decimal = Decimal(10) ** 15
    while at < len(tokens):
        joined = at
        if total is not None and tokens[at] == "and":
            joined += 1
        group, after = _group(tokens, joined)
        if group is None:
            break
        scale = Decimal(1)
        while after < len(tokens) and tokens[after] in _SCALES:
            scale *= _SCALES[tokens[after]]
            after += 1
        if group * scale >= ceiling or (total is not None and scale == 1 and group >= 1000):
            break
        if total is not None and scale == 1 and _is_digits(tokens[joined]):
            break
        total = (total or Decimal(0)) + group * scale
        at = after
        if scale == 1:
            break
        ceiling = scale
    return (total, at) if total is not None else (None, start)


def _group(tokens: list[str], at: int) -> tuple[Decimal | None, int]:
    """What may stand before a scale: digits, or words below thousand, "a hundred", "two dozen", "half a dozen"."""

    def token(index: int) -> str:
        return tokens[index] if index < len(tokens) else ""

    if token(at) == "half" and token(at + 1) == "a" and token(at + 2) == "dozen":
        return Decimal(6), at + 3
    if token(at) in ("a", "an"):
        if token(at + 1) == "hundred":
            return _below_hundred(tokens, at + 2, Decimal(100))
        if token(at + 1) == "dozen":
            return Decimal(12), at + 2
        return (Decimal(1), at + 1) if token(at + 1) in _SCALES else (None, at)
    if token(at) == "dozen":
        return Decimal(12), at + 1
    if token(at) in ("hundred", *_SCALES):
        return None, at
    if token(at) and _is_digits(token(at)):
        value, after = Decimal(token(at).replace(",", "")), at + 1
    else:
        small, after = _small(tokens, at)
        if small is None:
            return None, at
        value = Decimal(small)
    if token(after) == "dozen":
        return value * 12, after + 1
    if token(after) == "hundred":
        return _below_hundred(tokens, after + 1, value * 100)
    return value, after


def _below_hundred(tokens: list[str], at: int, hundreds: Decimal) -> tuple[Decimal, int]:
    joined = at + 1 if at < len(tokens) and tokens[at] == "and" else at
    small, after = _small(tokens, joined)
    if small is None or (after < len(tokens) and tokens[after] in ("hundred", "dozen")):
        return hundreds, at
    if joined != at and after < len(tokens) and tokens[after] in _SCALES:
        pass  # "two hundred and five thousand"
    return hundreds + small, after


def _small(tokens: list[str], at: int) -> tuple[int | None, int]:
    """One … ninety-nine in words."""
    word = tokens[at] if at < len(tokens) else ""
    if word in _TENS_VALUE:
        one = _UNITS.get(tokens[at + 1], 0) if at + 1 < len(tokens) else 0
        return (_TENS_VALUE[word] + one, at + 2) if 0 < one < 10 else (_TENS_VALUE[word], at + 1)
    return (_UNITS[word], at + 1) if word in _UNITS else (None, at)
