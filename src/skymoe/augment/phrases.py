"""Words of place and of colour in the phrases that name objects, and how one is swapped for another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skymoe.tasks.expressions import read_phrase

CELLS: dict[str, tuple[int, int]] = {
    "top left": (0, 0), "top": (1, 0), "top right": (2, 0),
    "left": (0, 1), "center": (1, 1), "right": (2, 1),
    "bottom left": (0, 2), "bottom": (1, 2), "bottom right": (2, 2),
}  # fmt: skip
"""The cells of the 3×3 grid by name: column and row, from the top left."""

_CELL_OF = {
    "top-left": "top left", "top-right": "top right", "bottom-left": "bottom left", "bottom-right": "bottom right",
    "leftmost": "left", "rightmost": "right", "topmost": "top", "bottom": "bottom", "central": "center",
}  # fmt: skip
MODIFIER_OF = {cell: modifier for modifier, cell in _CELL_OF.items()}
"""How the grammar of `tasks.expressions` calls each cell before a noun: "the topmost plane"."""

_PLACE = (
    r"(?:top|upper|bottom|lower)[ -](?:left|right)|(?:left|right|top|bottom|upper|lower)-?most|most central"
    r"|far (?:left|right)|left|right|top|upper|highest|bottom|lowest|lower|central|middle|cent(?:er|re)"
)
_BEFORE = re.compile(rf"^(the |an? )({_PLACE})\b", re.IGNORECASE)
_AFTER = re.compile(rf"\b(in|at|on|near) the ({_PLACE})( corner| side| edge| part)?\b", re.IGNORECASE)

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black")
_SPELLED = {"gray": "grey", "violet": "purple"}
_COLOUR = re.compile(rf"\b({'|'.join((*COLOURS, *_SPELLED))})(?:ish)?\b", re.IGNORECASE)


def colour_words(text: str) -> list[str]:
    """The colours a text names, in our spelling, in its order."""
    return [_SPELLED.get(word.lower(), word.lower()) for word in _COLOUR.findall(text)]


def without_colours(phrase: str) -> str:
    """ "the red car" → "the car"."""
    return " ".join(_COLOUR.sub(" ", phrase).split())


def swap_colour(phrase: str, colour: str) -> str:
    """The phrase with its colour word replaced; an article before it follows: "an orange" → "a red"."""

    def article(match: re.Match[str]) -> str:
        return match[1] + ("n" if colour[0] in "aeiou" else "") + match[2]

    swapped = _COLOUR.sub(lambda match: _cased(match[0], colour), phrase)
    return re.sub(rf"\b([Aa])n?(\s+{colour}\b)", article, swapped)


def cell_of_phrase(phrase: str, names: Sequence[str]) -> str | None:
    """Which cell the phrase speaks of; None where it speaks of none or is not understood."""
    read = read_phrase(without_colours(phrase), names)
    return None if read is None or read[0] is None else _CELL_OF.get(read[0])


def move_phrase(phrase: str, cell: str) -> tuple[str, str, str] | None:
    """The phrase with its words of place replaced by those of ``cell``, and these words before and after.

    None where they are not found in one place only.
    """
    before, after = _BEFORE.search(phrase), list(_AFTER.finditer(phrase))
    if before is not None and not after:
        word = MODIFIER_OF[cell]
        return before[1] + word + phrase[before.end() :], before[2], word
    if before is None and len(after) == 1:
        match = after[0]
        word = {"center": "middle"}.get(cell, cell)
        part = "" if match[3] is None else " corner" if " " in cell else "" if cell == "center" else " part"
        new = f"{phrase[: match.start()]}in the {word}{part}{phrase[match.end() :]}"
        return new, match[2], word
    return None


def _cased(found: str, word: str) -> str:
    return word.capitalize() if found[:1].isupper() else word
