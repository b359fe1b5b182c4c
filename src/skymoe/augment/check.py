"""The independent checker: does the picture show what the annotation says was done to it?

It is given the original and the edited sample with their pictures, as read back from their files, and shares no
arithmetic with the editors: no OpenCV, its own rasterising, overlap, places, colours (HSV, where the editor works in
Lab) and lightness. What it finds wrong it says in short sentences that begin alike for alike faults.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from skymoe.augment import check_colour as colour
from skymoe.augment.check_geometry import (
    Picture,
    agreement,
    best_shift,
    changed_outside,
    inside,
    names_only,
    overlap,
    reach,
    share_changed,
)
from skymoe.sample import Edit, Region, Sample

GONE, THERE = 0.6, 0.8
"""Correlation with the object's own pixels: at most so much where it was, at least so much where it is."""

# The checker's own words for the cells: column, row.
_PLACES = {
    (0, 0): ("top-left", "top left", "upper left", "upper-left"), (1, 0): ("topmost", "top"),
    (2, 0): ("top-right", "top right", "upper right", "upper-right"), (0, 1): ("leftmost", "left"),
    (1, 1): ("central", "middle", "center", "centre"), (2, 1): ("rightmost", "right"),
    (0, 2): ("bottom-left", "bottom left", "lower left", "lower-left"), (1, 2): ("bottom",),
    (2, 2): ("bottom-right", "bottom right", "lower right", "lower-right"),
}  # fmt: skip


def check(original: Sample, edited: Sample, before: Picture, after: Picture) -> list[str]:
    """Everything that is wrong with an edited sample; nothing where picture and annotation agree.

    Args:
        before: the original's pixels [height, width, 3], RGB.
        after: the edited sample's.
    """
    wanted = (edited.height, edited.width, 3)
    if before.shape != wanted or after.shape != wanted:
        return [f"size: pictures {before.shape} and {after.shape}, annotation {wanted}"]
    if len(edited.edits) != len(original.edits) + 1:
        return ["edit: the sample does not tell exactly one"]
    edit = edited.edits[-1]
    faults = _family(original, edited, edit)
    if edit.kind == "cutout":
        faults += _cutout(original, edited, edit, before, after)
    elif edit.kind == "relocate":
        faults += _relocated(original, edited, edit, before, after)
    elif edit.kind == "recolour":
        faults += _recoloured(original, edited, edit, before, after)
    else:
        faults.append(f"edit: unknown kind {edit.kind!r}")
    return faults


def _family(original: Sample, edited: Sample, edit: Edit) -> list[str]:
    """What holds for every edit: the pair, the global half, boxes in the picture, only known objects edited."""
    faults = []
    if edited.pair is None or edited.pair != original.pair or edited.id == original.id:
        faults.append("pair: the two do not carry the same pair id, or have the same id")
    if (edited.label, edited.source, edited.split, edited.complete) != (
        original.label, original.source, original.split, original.complete,
    ):  # fmt: skip
        faults.append("pair: label, source, split or complete classes differ")
    if Counter(edit.before) - Counter(original.regions):
        faults.append("edit: an edited object is not in the original")
    if any(region.name != edit.name for region in (*edit.before, *edit.after)):
        faults.append(f"edit: an edited object is no {edit.name}")
    for region in edited.regions:
        x1, y1, x2, y2 = region.box
        if not (-0.01 <= x1 < x2 <= edited.width + 0.01 and -0.01 <= y1 < y2 <= edited.height + 0.01):
            faults.append(f"box: {region.box} is not inside the picture")
    return faults


def _cutout(original: Sample, edited: Sample, edit: Edit, before: Picture, after: Picture) -> list[str]:
    faults = []
    masked, kept = list(edit.before), list(edited.regions)
    if Counter(kept) + Counter(masked) != Counter(original.regions):
        faults.append("count: kept and masked objects are not those of the original")
    old = sum(region.name == edit.name for region in original.regions)
    new = sum(region.name == edit.name for region in kept)
    if edit.count != (old, new) or new != old - len(masked) or new < 1 or edit.name not in edited.complete:
        faults.append(f"count: says {edit.count}, the annotation has {old} and {new}")
    ratio = edit.ratio if edit.ratio is not None else -1.0
    # m − 1 < r·N ≤ m, and at least a tenth of the objects fewer.
    if not (
        0.15 <= ratio <= 0.30 and -1e-6 < len(masked) - ratio * old < 1 + 1e-6 and 10 * len(masked) >= old
    ):
        faults.append(f"count: {len(masked)} of {old} masked does not follow from the ratio {ratio:.3f}")
    if any(expression.box == region.box for expression in edited.expressions for region in masked):
        faults.append("phrase: one names a masked object")
    mean = before.reshape(-1, 3).mean(axis=0)
    allowed = np.zeros(before.shape[:2], np.bool_)
    for region in masked:
        slack = 2.0 if edit.fill != "inpaint" else 3.0 + 0.45 * _short_side(region)
        reach(region, slack, allowed)
        window, within = inside(region, before.shape)
        pixels = after[window][within]
        if not len(pixels):
            faults.append("mask: an object without pixels")
        elif edit.fill == "zero" and pixels.any():
            faults.append("mask: a masked object is not zero")
        elif edit.fill == "mean" and (np.abs(pixels - mean).max() > 1.01 or np.ptp(pixels, axis=0).any()):
            faults.append("mask: a masked object is not of the mean colour")
        elif edit.fill == "inpaint" and (what := _still_there(before, after, region)):
            faults.append(f"mask: {what}")
        elif edit.fill not in ("zero", "mean", "inpaint"):
            faults.append(f"mask: unknown fill {edit.fill!r}")
    return faults + _untouched(before, after, kept, allowed)


def _relocated(original: Sample, edited: Sample, edit: Edit, before: Picture, after: Picture) -> list[str]:
    if len(edit.before) != 1 or len(edit.after) != 1 or edit.phrase is None or edit.words is None:
        return ["edit: it does not tell one object before and after, its phrase and words"]
    (old,), (new,) = edit.before, edit.after
    faults = []
    if Counter(edited.regions) != Counter(original.regions) - Counter([old]) + Counter([new]):
        faults.append("count: the objects are not those of the original with one moved")
    dx, dy = new.box[0] - old.box[0], new.box[1] - old.box[1]
    box = (old.box[0] + dx, old.box[1] + dy, old.box[2] + dx, old.box[3] + dy)
    outline = None if old.polygon is None else tuple(v + (dx, dy)[i % 2] for i, v in enumerate(old.polygon))
    if not np.allclose(box, new.box) or not _same_outline(outline, new.polygon):
        faults.append("box: the moved object changed its size or shape")
    if abs(dx - round(dx)) > 1e-6 or abs(dy - round(dy)) > 1e-6:
        return [*faults, "box: moved by a part of a pixel"]
    cell = next((place for place, words in _PLACES.items() if edit.words[1].lower() in words), None)
    if cell is None or not _in_cell(new, cell, edited):
        faults.append(f"cell: the object is not in the cell {edit.words[1]!r}")
    others = list(edited.regions)
    if new in others:
        others.remove(new)
    if any(overlap(new, other) >= 0.1 for other in others):
        faults.append("overlap: the moved object has an IoU of 0.1 or more with another")
    faults += _phrase(edited, edit, new)
    if edit.words[1].lower() not in edit.phrase[1].lower():
        faults.append("phrase: it does not say the cell")
    if cell is not None and not names_only(new, [o for o in others if o.name == new.name], cell, edited):
        faults.append("phrase: another object could be meant")
    allowed = np.zeros(before.shape[:2], np.bool_)
    reach(old, 3.0 + 0.45 * _short_side(old), allowed)
    reach(new, 3.0 + 0.2 * _short_side(new), allowed)
    faults += _untouched(before, after, others, allowed)
    shift = best_shift(before, old, after, new)
    if agreement(before, old, after, new, shift) < THERE:
        faults.append("object: what lies in the new place is not it")
    elif max(map(abs, shift)) > 1:
        faults.append("box: not tight, the object fits better beside it")
    if what := _still_there(before, after, old):
        faults.append(f"hole: {what}")
    return faults


def _recoloured(original: Sample, edited: Sample, edit: Edit, before: Picture, after: Picture) -> list[str]:
    if (
        len(edit.before) != 1
        or edit.after != edit.before
        or not (edit.phrase and edit.words and edit.outline)
    ):
        return ["edit: it does not tell one object, its phrase, words and outline"]
    (region,) = edit.before
    faults = []
    if Counter(edited.regions) != Counter(original.regions):
        faults.append("count: the objects are not those of the original")
    others = list(edited.regions)
    others.remove(region)
    faults += _phrase(edited, edit, region)
    old, new = edit.words
    said_before, said_after = (set(phrase.lower().replace("gray", "grey").split()) for phrase in edit.phrase)
    if old not in said_before or new not in said_after or old in said_after:
        faults.append("phrase: the colour words were not swapped")
    shape = Region(region.name, region.box, edit.outline)
    window, within = inside(shape, before.shape)
    if not within.any():
        return [*faults, "outline: it holds no pixel"]
    allowed = np.zeros(before.shape[:2], np.bool_)
    reach(shape, 1.5, allowed)
    beyond = np.zeros_like(allowed)
    reach(region, 2.0, beyond)
    if (allowed & ~beyond).sum() > 0.1 * allowed.sum():
        faults.append("outline: it leaves the object's box")
    faults += _untouched(before, after, others, allowed)
    if share_changed(before, after, shape) < 0.3:
        faults.append("colour: most of the object did not change")
    first, second = before[window][within], after[window][within]
    if (problem := colour.lightness_moved(first, second)) is not None:
        faults.append(f"lightness: {problem}")
    if not colour.is_called(first, old):
        faults.append(f"colour: it was not {old} before")
    if not colour.is_called(second, new):
        faults.append(f"colour: it is not {new}")
    return faults


def _phrase(edited: Sample, edit: Edit, region: Region) -> list[str]:
    assert edit.phrase is not None
    said = [expression for expression in edited.expressions if expression.phrase == edit.phrase[1]]
    if len(said) != 1 or said[0].box != region.box or said[0].polygon != region.polygon:
        return ["phrase: the new one does not point to the edited object"]
    if any(expression.phrase == edit.phrase[0] for expression in edited.expressions):
        return ["phrase: the old one is still there"]
    return []


def _untouched(before: Picture, after: Picture, kept: list[Region], allowed: NDArray[np.bool_]) -> list[str]:
    faults = []
    for region in kept:
        window, within = inside(region, before.shape)
        if (before[window][within] != after[window][within]).any():
            faults.append("kept: pixels of another object changed")
            break
    if changed_outside(before, after, allowed):
        faults.append("kept: pixels far from the edit changed")
    return faults


def _still_there(before: Picture, after: Picture, region: Region) -> str | None:
    """Whether an object can still be seen where it was taken away: its pattern, or its contrast to the ground."""
    likeness = agreement(before, region, after, region)
    if likeness > GONE:
        return f"the object can still be seen, correlation {likeness:.1f}"
    if share_changed(before, after, region) < 0.5:
        return "most of the object's pixels are unchanged"
    return None


def _in_cell(region: Region, cell: tuple[int, int], sample: Sample) -> bool:
    x1, y1, x2, y2 = region.box
    column, row = cell
    return (
        3 * x1 >= column * sample.width - 0.01 and 3 * x2 <= (column + 1) * sample.width + 0.01
        and 3 * y1 >= row * sample.height - 0.01 and 3 * y2 <= (row + 1) * sample.height + 0.01
    )  # fmt: skip


def _same_outline(a: tuple[float, ...] | None, b: tuple[float, ...] | None) -> bool:
    return a is b is None or (a is not None and b is not None and len(a) == len(b) and np.allclose(a, b))


def _short_side(region: Region) -> float:
    x1, y1, x2, y2 = region.box
    return min(x2 - x1, y2 - y1)
