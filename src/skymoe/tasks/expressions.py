"""Phrases that name exactly one object among a picture's regions, derived and checked by the same rules.

With several objects of one class:

* size: "the largest" has at least 1.15 times the area of the second largest; "the smallest" likewise.
* corners: "the top-left" has its centre nearest to that corner of the picture, nearer than the second by at
  least 5 % of the picture's diagonal (18 px of 256 × 256: a glance can tell), and lies in that quarter of the
  picture, so that of two objects on one diagonal none is called after the other two corners.
* sides: "the leftmost" has the outermost centre by that same margin, and none has an edge farther out.
* "the central" is nearest to the picture's centre by that margin, and within 20 % of the diagonal.

With one object: "the storage tank", "the only storage tank". It is also "the largest", and "the top-left" or
"the leftmost" where it lies in that quarter or half of the picture, but nothing so is derived.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from random import Random

from skymoe.sample import Expression, Region, Sample
from skymoe.tasks.wording import same_object

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
    rf"(?:the |an? )?(.+?) (?:in|at|on|near) the ({_WORDS})(?: corner| side| edge| part)?"
    r"(?: of the (?:image|picture))?"
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
    """Whether ``phrase`` can be shown to name exactly one region; False for phrases not understood."""
    named = referents(phrase, regions, width, height)
    return named is not None and len(named) == 1


def referents(
    phrase: str, regions: Sequence[Region], width: float, height: float
) -> tuple[Region, ...] | None:
    """The regions ``phrase`` may mean: one where it is clear, several where the margins are too small.

    None where the phrase is outside this grammar (colours, relations between objects, other classes).
    ``width`` and ``height`` are those of the picture in pixels.
    """
    read = read_phrase(phrase, [region.name for region in regions])
    if read is None:
        return None
    modifier, noun = read
    objects = [region for region in regions if same_object(region.name, noun)]
    if modifier in (None, "only") or not objects:
        return tuple(objects)
    assert modifier is not None
    if len(objects) == 1:
        return tuple(region for region in objects if _lies(modifier, *_center(region), width, height))
    return tuple(_candidates(modifier, objects, width, height))


def read_phrase(phrase: str, names: Sequence[str]) -> tuple[str | None, str] | None:
    """The canonical modifier (or None) and the singular noun of ``phrase``, which must be one of ``names``.

    A plural is not understood: it does not name one object.
    """
    plain = " ".join(phrase.lower().split()).rstrip(".?!")
    if match := _AFTER.fullmatch(plain):
        noun, word = match.groups()
        return (_MEANING[word], noun) if _known(noun, names) else None
    bare = re.sub(r"^(?:the|an?) ", "", plain)
    if _known(bare, names):
        return None, bare
    match = _BEFORE.fullmatch(plain)
    if match is None or match[1] is None or not _known(match[2], names):
        return None
    return _MEANING[match[1]], match[2]


def reword(phrase: str, rng: Random) -> str:
    """The same phrase with a synonym of its modifier ("upper left" for "top-left"); other phrases stay."""
    match = re.fullmatch(rf"(the )({_WORDS})( .+)", phrase)
    if match is None or _MEANING[match[2]] == "only":
        return phrase
    return match[1] + rng.choice(_SYNONYMS[_MEANING[match[2]]]) + match[3]


def _known(noun: str, names: Sequence[str]) -> bool:
    return any(same_object(name, noun) for name in names)


def _candidates(modifier: str, objects: list[Region], width: float, height: float) -> list[Region]:
    """Those of several objects that ``modifier`` may mean, the clearest first."""
    if modifier in ("largest", "smallest"):
        areas = [(r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) for r in objects]
        least, most = min(areas) * AREA_RATIO, max(areas) / AREA_RATIO
        fits = [area > most if modifier == "largest" else area < least for area in areas]
        return [region for region, fit in zip(objects, fits, strict=True) if fit]
    score, edge = _ORDER[modifier] if modifier in _ORDER else (_distance_to(modifier, width, height), None)
    scores = [score(region) for region in objects]
    first = objects[scores.index(min(scores))]
    if edge is None and not _lies(modifier, *_center(first), width, height):
        return []
    limit = min(scores) + MARGIN * math.hypot(width, height)
    near = [region for region, s in zip(objects, scores, strict=True) if region is first or s < limit]
    if edge is not None:
        near += [region for region in objects if region not in near and edge(region) < edge(first)]
    return near


def _center(region: Region) -> tuple[float, float]:
    x1, y1, x2, y2 = region.box
    return (x1 + x2) / 2, (y1 + y2) / 2


_Score = Callable[[Region], float]
# By what the outermost object is found (its centre), and what none may have farther out (its edge).
_ORDER: dict[str, tuple[_Score, _Score]] = {
    "leftmost": (lambda r: _center(r)[0], lambda r: r.box[0]),
    "rightmost": (lambda r: -_center(r)[0], lambda r: -r.box[2]),
    "topmost": (lambda r: _center(r)[1], lambda r: r.box[1]),
    "bottom": (lambda r: -_center(r)[1], lambda r: -r.box[3]),
}


def _distance_to(place: str, width: float, height: float) -> _Score:
    """Pixels from a region's centre to the corner or the middle of the picture."""
    x0 = 0.0 if "left" in place else width if "right" in place else width / 2
    y0 = 0.0 if "top" in place else height if "bottom" in place else height / 2
    return lambda region: math.dist(_center(region), (x0, y0))


def _lies(modifier: str, x: float, y: float, width: float, height: float) -> bool:
    """Whether a point lies in the quarter, half or middle of the picture that ``modifier`` speaks of."""
    if modifier == "central":
        return math.hypot(x - width / 2, y - height / 2) <= CENTRAL_WITHIN * math.hypot(width, height)
    return not (
        ("left" in modifier and x >= width / 2)
        or ("right" in modifier and x <= width / 2)
        or ("top" in modifier and y >= height / 2)
        or ("bottom" in modifier and y <= height / 2)
    )
