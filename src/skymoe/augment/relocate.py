"""Attribute editing by relocation: "the bottom plane" becomes "the top-right plane", and the plane moves there.

The object is lifted with a narrow rim, the hole is filled with ground, and it is Poisson-blended into the named cell
of a 3×3 grid, where the ground is most like the ground it came from. It covers nothing of another object (so that
IoU is 0, well below the paper's 0.1), its box lies wholly in the cell, and the new phrase still names it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

import numpy as np

from skymoe.augment.edited import GROUND, Edited, Outcome, Pixels, RefusedError, edited_sample, generator
from skymoe.augment.healing import clone, heal_object, matches
from skymoe.augment.opencv import opencv
from skymoe.augment.phrases import CELLS, MODIFIER_OF, cell_of_phrase, move_phrase, without_colours
from skymoe.augment.stencils import Mask, Stencil, cover
from skymoe.boxes import iou
from skymoe.sample import XYXY, Edit, Expression, Region, Sample
from skymoe.tasks.expressions import names_one, referents

FARTHEST_GROUND = 22.0
"""Root mean square difference between the grounds (grey values) above which blending would change the object."""
SMALLEST = 6
"""Pixels of the shorter side below which nobody could say what has moved."""
PLACES = 24
"""Places tried in a cell, the best ground first."""


class Lifted(NamedTuple):
    """An object that may be moved: its place among the regions, a phrase for it, and its pixels with their rim."""

    number: int
    phrase: str
    stencil: Stencil


def relocate(
    sample: Sample, pixels: Pixels, *, seed: int = 0, name: str | None = None, variants: int = 1
) -> Outcome:
    """Up to ``variants`` pictures, in each of which one object was moved to another cell, phrase and box with it.

    Args:
        pixels: the sample's picture [height, width, 3], RGB; it is not changed.
        name: only objects of this class.

    Raises:
        RefusedError: where no phrase of place names an object that can be moved, or no cell has room for one.
    """
    rng = generator(seed, "relocate", sample)
    covers = [cover(region, sample.width, sample.height) for region in sample.regions]
    phrases = _phrases(sample, name)
    if not phrases:
        raise RefusedError("no phrase of place", sample, _why_no_phrase(sample, name))
    reasons: dict[str, int] = {}
    made: list[Edited] = []
    for index in rng.sample(sorted(phrases), len(phrases)):
        if len(made) == variants:
            break
        stencil = _lift(sample, index, covers)
        if isinstance(stencil, str):
            reasons[stencil] = reasons.get(stencil, 0) + 1
            continue
        lifted = Lifted(index, rng.choice(phrases[index]), stencil)
        found = _move(sample, pixels, lifted, covers, seed, len(made) + 1, rng)
        if isinstance(found, str):
            reasons[found] = reasons.get(found, 0) + 1
        else:
            made.append(found)
    if not made:
        reason = max(reasons, key=lambda reason: reasons[reason])
        raise RefusedError(reason, sample, f"no object can be moved ({', '.join(sorted(reasons))})")
    return Outcome(made, {"no more objects to move": variants - len(made)} if len(made) < variants else {})


def _phrases(sample: Sample, name: str | None) -> dict[int, list[str]]:
    """For each region that phrases of place name: these phrases, the data set's own before any of ours."""
    found: dict[int, list[str]] = {}
    names = [region.name for region in sample.regions]
    for expression in sample.expressions:
        phrase = expression.phrase
        for index, region in enumerate(sample.regions):
            same = iou(region.box, expression.box) > 0.9 and region.name in sample.complete
            if same and cell_of_phrase(phrase, names) and _names(sample.regions, index, phrase, sample):
                found.setdefault(index, []).append(phrase)
    for index, region in enumerate(sample.regions):
        if index in found or region.name not in sample.complete or region.difficult:
            continue
        derived = [f"the {modifier} {region.name}" for modifier in MODIFIER_OF.values()]
        true = [phrase for phrase in derived if _names(sample.regions, index, phrase, sample)]
        if true:
            found[index] = true
    return {
        index: phrases
        for index, phrases in found.items()
        if name in (None, names[index]) and names[index] not in GROUND
    }


def _names(regions: tuple[Region, ...], index: int, phrase: str, sample: Sample) -> bool:
    """Whether the phrase, colours left aside, names this region and no other."""
    plain = without_colours(phrase)
    if not names_one(plain, regions, sample.width, sample.height):
        return False
    named = referents(plain, regions, sample.width, sample.height)
    return named is not None and named[0] is regions[index]


def _why_no_phrase(sample: Sample, name: str | None) -> str:
    if not sample.regions:
        return "has no annotated object"
    if not sample.complete:
        return "no class of it is annotated exhaustively, so no phrase can be shown to name one object"
    return f"no phrase of place names exactly one {name or 'object'}"


def _lift(sample: Sample, index: int, covers: list[Stencil]) -> Stencil | str:
    """The object's pixels with as wide a rim as its neighbours leave, or why it cannot be lifted."""
    stencil, (x1, y1, x2, y2) = covers[index], sample.regions[index].box
    if min(x1, y1) < 1 or x2 > sample.width - 1 or y2 > sample.height - 1:
        return "cut by the picture's edge"
    if min(x2 - x1, y2 - y1) < SMALLEST:
        return "too small"
    if x2 - x1 > sample.width / 3 or y2 - y1 > sample.height / 3:
        return "no room in a cell"
    others = covers[:index] + covers[index + 1 :]
    widest = max(2, round(0.15 * min(x2 - x1, y2 - y1)))
    for rim in sorted({widest, widest // 2, 2}, reverse=True):
        grown = stencil.grown(rim, sample.width, sample.height)
        if not any(grown.touches(other) for other in others):
            return grown
    return "touches another object"


def _move(
    sample: Sample, pixels: Pixels, lifted: Lifted, covers: list[Stencil], seed: int, number: int, rng: Random
) -> Edited | str:
    region, stencil = sample.regions[lifted.number], lifted.stencil
    taken = np.zeros((sample.height, sample.width), np.bool_)
    for other in covers:
        other.paint(taken)
    objects = taken.copy()
    others = np.zeros_like(taken)
    for i, other in enumerate(covers):
        if i != lifted.number:
            other.paint(others)
    # Not onto the place it came from, which is filled beyond the rim.
    stencil.grown(round(0.3 * min(stencil.mask.shape)), sample.width, sample.height).paint(taken)
    reason = "no room in the cell"
    for cell in rng.sample(list(CELLS), len(CELLS)):
        new_phrase = move_phrase(lifted.phrase, cell)
        if new_phrase is None or cell == cell_of_phrase(lifted.phrase, [region.name]):
            continue
        for dx, dy, ground in _places(pixels, region.box, stencil, taken, others, cell):
            if ground > FARTHEST_GROUND:
                reason = "no like ground in the cell"
                break
            moved = _moved(region, dx, dy)
            regions = tuple(moved if i == lifted.number else other for i, other in enumerate(sample.regions))
            if not _names(regions, lifted.number, new_phrase[0], sample):
                reason = "the phrase would not name one object"
                continue
            healed = heal_object(
                pixels, covers[lifted.number], covers[lifted.number : lifted.number + 1], objects
            )
            if healed is None:
                return "the hole cannot be filled well"
            result = clone(pixels, healed, stencil, stencil.moved(dx, dy))
            edit = Edit(
                "relocate", region.name, seed, (region,), (moved,), phrase=(lifted.phrase, new_phrase[0]),
                words=new_phrase[1:],
            )  # fmt: skip
            new = Expression(new_phrase[0], moved.box, moved.polygon)
            return Edited(edited_sample(sample, edit, number, regions, new), result)
    return reason


def _places(
    pixels: Pixels, box: XYXY, stencil: Stencil, taken: Mask, objects: Mask, cell: str
) -> Iterator[tuple[int, int, float]]:
    """Shifts dx, dy that put the box wholly into the cell and the stencil on free ground, the best ground first."""
    cv2 = opencv()
    height, width = taken.shape
    column, row = CELLS[cell]
    # The shifts that keep the box in the cell and the stencil in the picture.
    x_low = max(int(np.ceil(column * width / 3 - box[0])), -stencil.left)
    x_high = min(int(np.floor((column + 1) * width / 3 - box[2])), width - stencil.right)
    y_low = max(int(np.ceil(row * height / 3 - box[1])), -stencil.top)
    y_high = min(int(np.floor((row + 1) * height / 3 - box[3])), height - stencil.bottom)
    if x_low > x_high or y_low > y_high:
        return
    left, top = stencil.left + x_low, stencil.top + y_low
    right, bottom = stencil.right + x_high, stencil.bottom + y_high
    window = taken[top:bottom, left:right]
    step, error, free = matches(pixels, stencil, (left, top), window, objects, shadows=True)
    if not free.any():
        return
    # Flat ground is better than the same colour with something on it.
    grey = pixels[top:bottom, left:right].mean(axis=2, dtype=np.float32)
    size = (stencil.mask.shape[1], stencil.mask.shape[0])
    mean = cv2.boxFilter(grey, -1, size, anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)
    square = cv2.boxFilter(grey * grey, -1, size, anchor=(0, 0), borderType=cv2.BORDER_REFLECT_101)
    rough = np.maximum(square - mean * mean, 0)[::step, ::step][: error.shape[0], : error.shape[1]]
    score = np.where(free, error + rough, np.inf)
    apart = max(2, min(size) // 3 // step)
    for _ in range(PLACES):
        y, x = (int(v) for v in np.unravel_index(np.argmin(score), score.shape))
        if not np.isfinite(score[y, x]):
            return
        dx, dy = x_low + x * step, y_low + y * step
        # Blocks may reach a little beyond the cell.
        if dx <= x_high and dy <= y_high:
            yield dx, dy, float(np.sqrt(error[y, x]))
        score[max(y - apart, 0) : y + apart + 1, max(x - apart, 0) : x + apart + 1] = np.inf


def _moved(region: Region, dx: int, dy: int) -> Region:
    x1, y1, x2, y2 = region.box
    polygon = region.polygon and tuple(v + (dy if i % 2 else dx) for i, v in enumerate(region.polygon))
    return replace(region, box=(x1 + dx, y1 + dy, x2 + dx, y2 + dy), polygon=polygon)
