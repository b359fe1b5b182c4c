"""Words of direction, and what becomes of them when the picture is turned.

"top left" must follow a mirrored picture, "on top of the building" must not. A text is therefore changed only
where its direction words are surely meant as places in the picture; where they may mean something else
("above", "north", "the left bank") and the turn would matter, the text is given up (`None`): a wrong caption
costs more than a missing one.

What was learned from reading the captions of RSICD and UCM: "vertical to each other" and "cross vertically"
mean perpendicular and stay true; "up" is a particle ("made up of", "throw up white foam") except in RSIVQA's
answers ("up and bottom"); "above" and "below" are about bridges.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from skymoe.data.turns import Turn

Mode = Literal["caption", "phrase", "answer"]

_VECTORS = {
    "left": (-1, 0), "right": (1, 0), "top": (0, -1), "upper": (0, -1), "up": (0, -1), "above": (0, -1),
    "bottom": (0, 1), "lower": (0, 1), "down": (0, 1), "below": (0, 1),
}  # fmt: skip
_PICTURE = r"(?:the|this)\ (?:image|picture|photo|scene)"
_PLACE = rf"(?:side|part|half|edge|corner|section|area|portion|(?:of|in)\ {_PICTURE})s?"
_TOKEN = re.compile(
    rf"""\b(?:
    (?P<fixed> upside[ -]down | right\ (?:angle|next|beside|behind|in\ front|near|under|away)s?
        | right\ (?:at|in)\ the\ (?:mid|cent)\w* | (?:on|to|from|onto)\ (?:the\ )?top\ of (?!\ {_PICTURE})
        | top\ floors? | not\ vertical | vertical\ (?:to|with)\b )
    | (?P<clock> (?:counter|anti)[ -]?clockwise | clockwise )
    | (?P<diagonal> (?:main|minor)\ diagonal )
    | (?P<compass> (?:north|south)[ -]?(?:east|west)?(?:ern|wards?)? | (?:east|west)(?:ern|wards?)? )
    | (?P<axis> vertical(?:ly)? | horizontal(?:ly)? )
    | (?P<corner> (?:top|upper|bottom|lower|up)[ -](?:left|right)
        | (?:left|right)[ -](?:top|upper|bottom|lower) )
    | (?P<most> (?:left|right|top|bottom|upper|lower)-?most )
    | (?P<side> left | right | top | bottom | upper | lower )
    | (?P<over> above | below | beneath | down | upwards? | downwards? )
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ANSWER_WORDS = re.compile(
    r"(?:\b(?:up|down|top|bottom|upper|lower|left|right|cent(?:er|re|ral)|middle|main|minor|diagonal|corners?"
    r"|sections?|sides?|parts?|and|in|on|at|of|the)\b[\s,-]*)+"
)
_ANSWER_TOKEN = re.compile(
    r"\b(?:(up|top|upper|bottom|lower|down)[ -](left|right)|(up|top|upper|bottom|lower|down|left|right))\b"
)
_SEPARATOR = re.compile(r"(\s*,\s*(?:and\s+)?|\s+and\s+)")
_POSITION = re.compile(
    r"\b(?:left|right|top|bottom|upper|lower|(?:left|right|top|bottom|upper|lower)-?most|corners?|edges?|largest"
    r"|biggest|smallest|central|(?:main|minor) diagonal|north\w*|south\w*|east(?:ern)?|west(?:ern)?)\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|only|single|another|pair|couple|dozens?|both)\b",
    re.IGNORECASE,
)


class _LostError(Exception):
    """The text can't be kept true."""


@lru_cache(maxsize=1 << 17)
def turned_text(text: str, turn: Turn, mode: Mode = "caption") -> str | None:
    """`text` as it is true of the turned picture, or None where that can't be told.

    `mode` says how sure a direction word is meant as one: in a "phrase" ("the top storage tank") and an
    "answer" ("up and bottom") it is; in a "caption" it has to look like one.
    """
    if turn is Turn.NONE:
        return text
    if mode == "answer" and _ANSWER_WORDS.fullmatch(text.strip().lower()):
        return _turned_answer(text, turn)
    try:
        return _TOKEN.sub(lambda match: _turned_token(match, turn, mode), text)
    except _LostError:
        return None


def names_position(text: str) -> bool:
    """Whether the text speaks of a place in the picture (or of largest and smallest): a crop may make it
    wrong."""
    return _POSITION.search(text) is not None or _ANSWER_WORDS.fullmatch(text.strip().lower()) is not None


def names_count(text: str) -> bool:
    """Whether the text gives a number of things: a crop may make it wrong (but not that there is none)."""
    return _COUNTED.search(text) is not None


def _turned_token(match: re.Match[str], turn: Turn, mode: Mode) -> str:
    found, kind = match.group(), match.lastgroup
    word = found.lower()
    if kind == "fixed":
        return found
    if kind == "clock":
        return (
            _cased(found, "counterclockwise" if word == "clockwise" else "clockwise")
            if turn.mirrors
            else found
        )
    if kind == "diagonal":
        return _cased(found, _other(word, "main", "minor")) if turn.swaps_diagonals else found
    if kind == "axis":
        return _turned_axis(match, turn, mode)
    if kind in ("compass", "over"):
        if _kept(word, turn):
            return found
        if kind == "over" and mode == "phrase" and word in ("above", "below") and not turn.swaps_axes:
            return _cased(found, _other(word, "above", "below"))
        raise _LostError
    if kind == "corner":
        return _cased(found, _turned_corner(word, turn))
    assert kind in ("side", "most"), kind
    stem = re.sub("-?most$", "", word)
    vector = turn.direction(*_VECTORS[stem])
    if vector == _VECTORS[stem]:
        return found
    if mode == "caption" and not _surely_a_place(match, stem):
        raise _LostError
    return _cased(found, _word(vector, "upper" if stem in ("upper", "lower") else "top") + word[len(stem) :])


def _turned_axis(match: re.Match[str], turn: Turn, mode: Mode) -> str:
    found = match.group()
    if not turn.swaps_axes or (mode == "caption" and found.lower() == "vertically"):
        return found
    before = match.string[: match.start()].rstrip().rpartition(" ")[2].lower()
    if mode == "caption" and (before in ("two", "crossed", "and") or found.lower() == "horizontally"):
        raise _LostError  # "two vertical bridges": upright, or perpendicular to each other?
    return _cased(found, _other(found.lower(), "vertical", "horizontal"))


def _surely_a_place(match: re.Match[str], word: str) -> bool:
    before, after = match.string[: match.start()].lower().split(), match.string[match.end() :].lower().strip()
    if re.match(rf"-?\s*(?:hand\s+)?{_PLACE}\b", after):
        return True
    if word in ("left", "right"):
        placed = before[-1:] == ["the"] and before[-2:-1] in (["on"], ["at"], ["in"], ["to"])
        return placed and re.match(r"(?:hand|bank|lane|turn)\b", after) is None
    return (
        before[-2:] in (["at", "the"], ["on", "the"])
        and re.match(r"$|[.,;]", after) is not None
        and word != "top"
    )


def _turned_corner(word: str, turn: Turn) -> str:
    first, separator, second = re.split(r"([ -])", word)
    across, along = (second, first) if first in ("left", "right") else (first, second)
    x, y = turn.direction(_VECTORS[along][0], _VECTORS[across][1])
    upright = _word((0, y), "top" if across in ("top", "bottom") else "upper")
    sideways = _word((x, 0), "top")
    return separator.join((sideways, upright) if across == second else (upright, sideways))


def _turned_answer(text: str, turn: Turn) -> str:
    style = "top" if re.search(r"\btop\b", text) else "up"
    parts = _SEPARATOR.split(text)
    old, separators = parts[::2], parts[1::2]

    def one(match: re.Match[str]) -> str:
        across, along, single = match.groups()
        if single is None:
            return _turned_corner(f"{across} {along}", turn)
        return _word(turn.direction(*_VECTORS[single]), style)

    new = [_ANSWER_TOKEN.sub(one, item) for item in old]
    if turn.swaps_diagonals:
        new = [_other(item, "main", "minor") for item in new]
    # "left and right", not "right and left": a list that went from left to right, or down, does so again.
    if [_vector(item) for item in old] == sorted(_vector(item) for item in old):
        new.sort(key=_vector)
    return "".join(part for pair in zip(new, [*separators, ""], strict=True) for part in pair)


def _vector(item: str) -> tuple[int, int]:
    vectors = [_VECTORS[word] for word in re.findall(r"[a-z]+", item) if word in _VECTORS]
    return sum(x for x, _ in vectors), sum(y for _, y in vectors)


def _word(vector: tuple[int, int], style: str) -> str:
    if vector[0]:
        return "left" if vector[0] < 0 else "right"
    if vector[1] < 0:
        return style
    return "lower" if style == "upper" else "bottom"


def _kept(word: str, turn: Turn) -> bool:
    x = ("east" in word) - ("west" in word)
    y = bool(re.match("south|below|beneath|down", word)) - bool(re.match("north|above|up", word))
    return turn.direction(x, y) == (x, y)


def _other(text: str, one: str, two: str) -> str:
    return text.replace(one, two) if one in text else text.replace(two, one)


def _cased(found: str, new: str) -> str:
    return new[:1].upper() + new[1:] if found[:1].isupper() else new
