"""The checker's own geometry: pixels inside a shape, overlap, likeness of two places, and what a place name means."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skymoe.sample import Region, Sample

Picture = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Window = tuple[slice, slice]


def inside(region: Region, shape: tuple[int, ...], grow: float = 0.0) -> tuple[Window, Bools]:
    """The rows and columns around a shape, and which of their pixels have their middle in it or ``grow`` from it."""
    corners = _corners(region)
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    left, right = max(int(min(xs) - grow) - 1, 0), min(int(max(xs) + grow) + 2, shape[1])
    top, bottom = max(int(min(ys) - grow) - 1, 0), min(int(max(ys) + grow) + 2, shape[0])
    px, py = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    within = np.zeros(px.shape, np.bool_)
    near = np.full(px.shape, np.inf)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        # Even-odd: how many sides lie to the right of the pixel.
        crosses = (ay > py) != (by > py)
        if ay != by:
            within ^= crosses & (px < ax + (py - ay) * (bx - ax) / (by - ay))
        if grow > 0:
            length = (bx - ax) ** 2 + (by - ay) ** 2
            along = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length if length else np.zeros(px.shape)
            along = np.clip(along, 0, 1)
            near = np.minimum(near, np.hypot(px - ax - along * (bx - ax), py - ay - along * (by - ay)))
    return (slice(top, bottom), slice(left, right)), within | (near <= grow) if grow > 0 else within


def reach(region: Region, grow: float, marked: Bools) -> None:
    """Marks the pixels inside a shape and up to ``grow`` pixels from it."""
    window, within = inside(region, marked.shape, grow)
    marked[window] |= within


def changed_outside(before: Picture, after: Picture, allowed: Bools) -> bool:
    """Whether a pixel differs that is not ``allowed`` to."""
    return bool(((before != after).any(axis=2) & ~allowed).any())


def share_changed(before: Picture, after: Picture, region: Region) -> float:
    """The share of the shape's pixels that differ."""
    window, within = inside(region, before.shape)
    return float((before[window] != after[window]).any(axis=2)[within].mean()) if within.any() else 0.0


def overlap(a: Region, b: Region) -> float:
    """IoU of two shapes; of turned ones counted on a grid of 0.25 pixels or coarser."""
    ax1, ay1, ax2, ay2 = a.box
    bx1, by1, bx2, by2 = b.box
    wide, high = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    if wide <= 0 or high <= 0:
        return 0.0
    if a.polygon is None and b.polygon is None:
        both = wide * high
        return both / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - both)
    left, top = min(ax1, bx1), min(ay1, by1)
    right, bottom = max(ax2, bx2), max(ay2, by2)
    scale = min(4.0, 400 / max(right - left, bottom - top, 1.0))
    size = (math.ceil((bottom - top) * scale) + 1, math.ceil((right - left) * scale) + 1)
    masks = []
    for region in (a, b):
        mask = np.zeros(size, np.bool_)
        points = [((x - left) * scale, (y - top) * scale) for x, y in _corners(region)]
        window, within = inside(Region("", (0, 0, 0, 0), tuple(v for point in points for v in point)), size)
        mask[window] = within
        masks.append(mask)
    return float((masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1))


def agreement(
    first: Picture, there: Region, second: Picture, here: Region, shift: tuple[int, int] = (0, 0)
) -> float:
    """Correlation, -1 to 1, of the pattern of a shape in one picture with that of its equal in another.

    The shapes are a whole number of pixels apart. Both are seen with a narrow rim, without which a uniform object
    has no pattern at all; 0 where one is uniform all the same.
    """
    grow = max(1.0, 0.06 * min(there.box[2] - there.box[0], there.box[3] - there.box[1]))
    window, within = inside(there, first.shape, grow)
    ys, xs = np.nonzero(within)
    ys, xs = ys + window[0].start, xs + window[1].start
    dx, dy = round(here.box[0] - there.box[0]) + shift[0], round(here.box[1] - there.box[1]) + shift[1]
    fits = (ys + dy >= 0) & (ys + dy < second.shape[0]) & (xs + dx >= 0) & (xs + dx < second.shape[1])
    if fits.sum() < 9:
        return 0.0
    a = first[ys[fits], xs[fits]].astype(np.float64).mean(axis=1)
    b = second[ys[fits] + dy, xs[fits] + dx].astype(np.float64).mean(axis=1)
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 1e-9 else 0.0


def best_shift(first: Picture, there: Region, second: Picture, here: Region, by: int = 3) -> tuple[int, int]:
    """By how many pixels (x, y) the pattern fits better beside the stated place; (0, 0) where it is right."""
    steps = sorted(
        ((x, y) for x in range(-by, by + 1) for y in range(-by, by + 1)), key=lambda s: abs(s[0]) + abs(s[1])
    )
    found = [agreement(first, there, second, here, step) for step in steps]
    return steps[int(np.argmax(found))]


def names_only(region: Region, others: list[Region], cell: tuple[int, int], sample: Sample) -> bool:
    """Whether "the {place} one" can only be this one: clearly nearest to the corner, side or middle of the picture.

    Clearly: by 5 % of the diagonal. Towards a side, no other may also reach farther out with its edge.
    """
    if not others:
        return True
    width, height = sample.width, sample.height
    boxes = np.array([region.box, *(other.box for other in others)], dtype=np.float64)
    cx, cy = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    column, row = cell
    clear = 0.05 * math.sqrt(width**2 + height**2)
    if (column == 1) == (row == 1):  # corners and the middle
        away = np.hypot(cx - width * column / 2, cy - height * row / 2)
        return bool((away[1:] >= away[0] + clear - 1e-6).all())
    if row == 1:
        centre, edge = (cx, boxes[:, 0]) if column == 0 else (width - cx, width - boxes[:, 2])
    else:
        centre, edge = (cy, boxes[:, 1]) if row == 0 else (height - cy, height - boxes[:, 3])
    return bool((centre[1:] >= centre[0] + clear - 1e-6).all() and (edge[1:] >= edge[0] - 1e-6).all())


def _corners(region: Region) -> list[tuple[float, float]]:
    if region.polygon is not None:
        return list(zip(region.polygon[0::2], region.polygon[1::2], strict=True))
    x1, y1, x2, y2 = region.box
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
