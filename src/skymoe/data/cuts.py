"""What of the annotated objects is left when a window is cut out of a picture, and whether counting stays
honest.

An object cut by the edge counts when at least half of its box is inside; its box is then clipped. One of
which only a sliver (at most 15 %) reaches in does not count. In between nobody can say whether it should be
counted: such a window is not *clean*, and no sample is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from skymoe.sample import XYXY, Region

KEPT = 0.5
SLIVER = 0.15


class Cut(NamedTuple):
    """`regions` in the window's pixels; `whole` says that none of them was clipped and none left out."""

    regions: tuple[Region, ...]
    clean: bool
    whole: bool


def visible_share(box: XYXY, window: XYXY) -> float:
    """The share of the box's area that lies inside the window, 0–1."""
    width = min(box[2], window[2]) - max(box[0], window[0])
    height = min(box[3], window[3]) - max(box[1], window[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))


def cut_regions(regions: Sequence[Region], window: XYXY) -> Cut:
    """The regions that count inside the window, moved to its pixels and clipped."""
    kept: list[Region] = []
    clean = whole = True
    for region in regions:
        share = visible_share(region.box, window)
        whole = whole and share >= 1.0
        if share >= KEPT:
            polygon = region.polygon and cut_polygon(region.polygon, window)
            kept.append(replace(region, box=cut_box(region.box, window), polygon=polygon))
        elif share > SLIVER:
            clean = False
    return Cut(tuple(kept), clean, whole)


def cut_box(box: XYXY, window: XYXY) -> XYXY:
    """The part of the box inside the window, in the window's pixels."""
    left, top, right, bottom = window
    return (
        max(box[0], left) - left,
        max(box[1], top) - top,
        min(box[2], right) - left,
        min(box[3], bottom) - top,
    )


def cut_polygon(polygon: Sequence[float], window: XYXY) -> tuple[float, ...]:
    """The part of the polygon inside the window (Sutherland–Hodgman), in the window's pixels."""
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    for axis, limit, sign in ((0, window[0], 1), (1, window[1], 1), (0, window[2], -1), (1, window[3], -1)):
        inside: list[tuple[float, float]] = []
        for before, point in zip(points[-1:] + points[:-1], points, strict=True):
            a, b = sign * (before[axis] - limit), sign * (point[axis] - limit)
            if a * b < 0:
                share = a / (a - b)
                inside.append(
                    (before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1]))
                )
            if b >= 0:
                inside.append(point)
        points = inside
    return tuple(value for x, y in points for value in (x - window[0], y - window[1]))
