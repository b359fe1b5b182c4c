"""Phrases that name exactly one object among the regions of a picture, derived and checked by the same rules.

With n objects of one class:

* n = 1: "the storage tank", "the only storage tank".
* size: "the largest" is at least 1.15 times the area of the second largest, "the smallest" at most 1/1.15 of the
  second smallest.
* corners: "the top-left" is the one whose centre is nearest to that corner of the picture, by at least 5 % of the
  picture's diagonal before the second nearest (18 px of a 256 px picture: a glance can tell), and it lies in
  that quarter of the picture: of two objects on one diagonal none is in the other two corners.
* sides: "the leftmost" has the outermost centre by at least that margin, and no other one has an edge farther out.
* "the central" is nearest to the picture's centre, by that margin, and within 20 % of the diagonal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from random import Random

from skymoe.sample import Expression, Region, Sample
from skymoe.tasks.wording import same_object, singularise

AREA_RATIO = 1.15
MARGIN = 0.05
CENTRAL_WITHIN = 0.20

# Canonical word first; the others are understood, and used when a phrase is reworded.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "largest": ("largest", "biggest"),
    "smallest": ("smallest",),
    "top-left": ("top-left", "top left", "upper-left", "upper left"),
    "top-right": ("top-right", "top right", "upper-right", "upper right"),
    "bottom-left": ("bottom-left", "bottom left", "lower-left", "lower left"),
    "bottom-right": ("bottom-right", "bottom right", "lower-right", "lower right"),
    "leftmost": ("leftmost", "left-most", "far left", "left"),
    "rightmost": ("rightmost", "right-most", "far right", "right"),
    "topmost": ("topmost", "top-most", "uppermost", "highest", "top", "upper"),
    "bottom": ("bottom", "bottommost", "bottom-most", "lowest", "lowermost", "lower"),
    "central": ("central", "middle", "center", "centre", "most central"),
    "only": ("only", "single", "one"),
}
MODIFIERS = tuple(name for name in _SYNONYMS if name != "only")
_MEANING = {word: name for name, words in _SYNONYMS.items() for word in words}
_WORDS = "|".join(re.escape(word) for word in sorted(_MEANING, key=len, reverse=True))
_BEFORE = re.compile(rf"(?:the |an? )?(?:({_WORDS}) )?(.+)")
_AFTER = re.compile(
    rf"(?:the |an? )?(.+?) (?:in|at|on|near) the ({_WORDS})(?: corner| side| edge| part)?(?: of the (?:image|picture))?"
)


def derive(sample: Sample) -> list[Expression]:
    """Every phrase that names exactly one region, class by class; only classes annotated exhaustively."""
    found: list[Expression] = []
    for name in sorted(sample.complete):
        objects = [region for region in sample.regions if region.name == name]
        if len(objects) == 1:
            phrases = [f"the {name}", f"the only {name}"]
        else:
            phrases = [f"the {modifier} {name}" for modifier in MODIFIERS]
        for phrase in phrases:
            named = referents(phrase, objects, sample.width, sample.height) or ()
            # A difficult object is hard to see for people, too: it competes, but is not asked for.
            if len(named) == 1 and not named[0].difficult:
                found.append(Expression(phrase, named[0].box, named[0].polygon))
    return found


def names_one(phrase: str, regions: Sequence[Region], width: float, height: float) -> bool:
    """Whether ``phrase`` can be shown to name exactly one of ``regions``; False for phrases not understood."""
    named = referents(phrase, regions, width, height)
    return named is not None and len(named) == 1


def referents(phrase: str, regions: Sequence[Region], width: float, height: float) -> tuple[Region, ...] | None:
    """The regions ``phrase`` may mean: one where it is unambiguous, several where the margins are too small.

    None where the phrase is outside this grammar (colours, relations between objects). ``width`` and ``height``
    are those of the picture in pixels.
    """
    read = read_phrase(phrase, [region.name for region in regions])
    if read is None:
        return None
    modifier, noun = read
    objects = [region for region in regions if same_object(region.name, noun)]
    if modifier is None or modifier == "only" or len(objects) < 2:
        return tuple(objects)
    return tuple(_candidates(modifier, objects, width, height))


def read_phrase(phrase: str, names: Sequence[str]) -> tuple[str | None, str] | None:
    """The canonical modifier (or None) and the noun of ``phrase``, given the class names that may occur."""
    plain = " ".join(phrase.lower().split()).rstrip(".?!")
    if match := _AFTER.fullmatch(plain):
        noun, word = match.group(1), match.group(2)
        return (_MEANING[word], noun) if _known(noun, names) else None
    match = _BEFORE.fullmatch(plain)
    if match is None:
        return None
    bare = re.sub(r"^(?:the|an?) ", "", plain)
    if _known(bare, names):
        return None, bare
    word, noun = match.group(1), match.group(2)
    return (_MEANING[word], noun) if word and _known(noun, names) else None


def reword(phrase: str, rng: Random) -> str:
    """The same phrase with a synonym of its modifier ("upper left" for "top-left"); other phrases stay."""
    match = re.fullmatch(rf"(the )({_WORDS})( .+)", phrase)
    if match is None or _MEANING[match.group(2)] == "only":
        return phrase
    return match.group(1) + rng.choice(_SYNONYMS[_MEANING[match.group(2)]]) + match.group(3)


def _known(noun: str, names: Sequence[str]) -> bool:
    # No regions at all leaves nothing to tell a class name by: then any noun will do, and it names none of them.
    return not names or any(same_object(name, noun) or same_object(name, singularise(noun)) for name in names)


def _candidates(modifier: str, objects: list[Region], width: float, height: float) -> list[Region]:
    areas = [(r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) for r in objects]
    if modifier == "largest":
        return [r for r, area in zip(objects, areas, strict=True) if area * AREA_RATIO > max(areas)]
    if modifier == "smallest":
        return [r for r, area in zip(objects, areas, strict=True) if area < min(areas) * AREA_RATIO]
    diagonal = math.hypot(width, height)
    score = _position_score(modifier, width, height)
    scores = [score(*_center(region)) for region in objects]
    best = min(scores)
    if modifier == "central" and best > CENTRAL_WITHIN * diagonal:
        return []
    if "-" in modifier and not _in_quarter(modifier, *_center(objects[scores.index(best)]), width, height):
        return []
    edge = _EDGES.get(modifier)
    near = [r for r, s in zip(objects, scores, strict=True) if s - best < MARGIN * diagonal]
    if edge is not None and len(near) == 1:
        near += [r for r in objects if r is not near[0] and edge(r) < edge(near[0])]
    return near


_EDGES: dict[str, Callable[[Region], float]] = {
    "leftmost": lambda r: r.box[0],
    "rightmost": lambda r: -r.box[2],
    "topmost": lambda r: r.box[1],
    "bottom": lambda r: -r.box[3],
}


def _position_score(modifier: str, width: float, height: float) -> Callable[[float, float], float]:
    """What is smallest for the object that ``modifier`` names; pixels."""
    sides: dict[str, Callable[[float, float], float]] = {
        "leftmost": lambda x, y: x,
        "rightmost": lambda x, y: -x,
        "topmost": lambda x, y: y,
        "bottom": lambda x, y: -y,
    }
    if modifier in sides:
        return sides[modifier]
    x0 = 0.0 if "left" in modifier else width if "right" in modifier else width / 2
    y0 = 0.0 if "top" in modifier else height if "bottom" in modifier else height / 2
    return lambda x, y: math.hypot(x - x0, y - y0)


def _in_quarter(corner: str, x: float, y: float, width: float, height: float) -> bool:
    return ("left" in corner) == (x < width / 2) and ("top" in corner) == (y < height / 2)


def _center(region: Region) -> tuple[float, float]:
    x1, y1, x2, y2 = region.box
    return (x1 + x2) / 2, (y1 + y2) / 2
