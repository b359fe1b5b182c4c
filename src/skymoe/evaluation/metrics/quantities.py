"""The classes by which RSVQA judges numbers: 0 · 1–10 · 11–100 · 101–1000 · more than 1000, upper bounds inclusive.

RSVQA-LR bins its counts so, RSVQA-HR its areas (in m²), but not its counts. A reference says by its own wording
whether it is a class ("between 11 and 100") or a number ("37").
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from skymoe.tasks.numbers import parse_number

BOUNDS = (0, 10, 100, 1000)
_UNIT = r"\s*(?:m2|m²|m\^2|square met(?:er|re)s?|sq\.? ?m)?"
_NUMBER = r"(\d+|\d{1,3}(?:,\d{3})+)"
_BETWEEN = re.compile(rf"(?:between\s+)?{_NUMBER}{_UNIT}\s*(?:and|to|-|–)\s*{_NUMBER}{_UNIT}")
_ABOVE = re.compile(rf"(?:more than|over|above|>)\s*{_NUMBER}{_UNIT}")
_UNITS = re.compile(r"(?<=\d)\s*(?:m2|m²|m\^2|square met(?:er|re)s?|sq\.? ?m)(?!\w)")


class Bin(NamedTuple):
    """The class of the numbers above ``low`` up to ``high``; None stands for no limit. Zero is (-1, 0)."""

    low: int
    high: int | None


def bin_of(number: float) -> Bin:
    """The class a number belongs to; an area of 10.4 m² lies above 10. ValueError for a negative one."""
    if number < 0:
        raise ValueError(f"{number} is no count and no area")
    low = -1
    for high in BOUNDS:
        if number <= high:
            return Bin(low, high)
        low = high
    return Bin(low, None)


def read_bin(text: str) -> Bin | None:
    """The class that a text names, or None where it names none of the five.

    The lower end may be written inclusive ("between 11 and 100") or as RSVQA's authors have it ("between 10 and 100").
    """
    plain = " ".join(text.lower().split()).strip(" .\"'")
    if found := _ABOVE.fullmatch(plain):
        return Bin(BOUNDS[-1], None) if _value(found[1]) == BOUNDS[-1] else None
    if found := _BETWEEN.fullmatch(plain):
        low, high = _value(found[1]), _value(found[2])
        for below, limit in pairwise(BOUNDS):
            if high == limit and low in (below, below + 1):
                return Bin(below, limit)
    return None


def given_bin(text: str) -> Bin | None:
    """The class that an answer gives, as a class or as a number within it ("37", "37 m2", "about 37 square metres")."""
    if found := read_bin(text):
        return found
    number = parse_number(_UNITS.sub("", text.lower()))
    return bin_of(float(number)) if number is not None and number >= 0 else None


def _value(digits: str) -> int:
    return int(digits.replace(",", ""))
