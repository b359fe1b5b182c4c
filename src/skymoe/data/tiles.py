"""Large annotated pictures in tiles: windows that overlap, and what of the annotation is true of each.

An object that the tile's edge cuts is judged by its visible share, of its outline where it has one, with the
limits of `data/cuts.py`: at least half visible, it counts, clipped; a sliver does not count; in between nobody
can say, and the tile makes no claim about the number of such objects: their class leaves `complete`, the other
classes stay. What the sample says of the whole picture (captions, questions, expressions) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations
from math import ceil, floor

import numpy as np

from skymoe.boxes import polygon_area, polygon_bounds
from skymoe.data.cuts import KEPT, SLIVER, cut_box, cut_polygon, visible_share
from skymoe.errors import UserError
from skymoe.sample import XYXY, Region, Sample

Window = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a picture is cut.

    ``side`` and ``overlap`` are pixels; ``empty`` is the share of the tiles without any object that is kept (by
    a hash of the tile's id); a class with an object smaller than ``smallest`` (longest side, as a share of the
    tile's) is not counted, because nobody would see all of them.
    """

    side: int = 1024
    overlap: int = 200
    empty: float = 0.1
    smallest: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.side:
            raise UserError(
                f"tiles of {self.side} px can't overlap by {self.overlap}; choose 0 … {self.side - 1}"
            )
        for name, share in (("empty", self.empty), ("smallest", self.smallest)):
            if not 0 <= share <= 1:
                raise UserError(f"{name} is a share, not {share}; choose 0 … 1")


def grid(width: int, height: int, side: int, overlap: int) -> list[Window]:
    """Windows that cover the picture row by row, evenly spread, overlapping by at least `overlap`.

    Where the picture is smaller than `side`, its windows are, too.
    """
    across, down = _starts(width, side, overlap), _starts(height, side, overlap)
    return [(x, y, min(x + side, width), min(y + side, height)) for y in down for x in across]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    steps = ceil((length - side) / (side - overlap))
    return [round(step * (length - side) / steps) for step in range(steps + 1)]


def tiles(sample: Sample, tiling: Tiling, ignored: Sequence[XYXY] = ()) -> Iterator[Sample]:
    """The tiles of a sample of which something can be asked; the sample itself where one tile holds it.

    `ignored` are areas (pixels of the sample) where objects were not annotated: a tile that touches one is
    left out.
    """
    if sample.width <= tiling.side and sample.height <= tiling.side:
        if not ignored:
            yield sample
        return
    boxes = np.array([region.box for region in sample.regions], dtype=np.float64).reshape(-1, 4)
    for window in grid(sample.width, sample.height, tiling.side, tiling.overlap):
        left, top, right, bottom = window
        if any(visible_share(area, window) > 0 for area in ignored):
            continue
        touching = (boxes[:, 0] < right) & (boxes[:, 2] > left) & (boxes[:, 1] < bottom) & (boxes[:, 3] > top)
        near = [sample.regions[index] for index in np.flatnonzero(touching)]
        tile = cut_sample(sample.replace(regions=tuple(near)), window, tiling.smallest)
        tile = tile.replace(id=f"{sample.id}/{tiling.side}/{left}-{top}")
        if tile.complete and (tile.regions or _draw(tile.id) < tiling.empty):
            yield tile


def cut_sample(sample: Sample, window: Window, smallest: float = 0.0) -> Sample:
    """What is true of the part of the sample's picture inside `window` (pixels of the sample)."""
    left, top, right, bottom = window
    offset = sample.window or (0.0, 0.0, float(sample.width), float(sample.height))
    assert (offset[2] - offset[0], offset[3] - offset[1]) == (sample.width, sample.height), sample.id
    kept: list[Region] = []
    unsure: set[str] = set()
    for region in sample.regions:
        share, part = visible_part(region, window)
        if part is None:
            if share > SLIVER:
                unsure.add(region.name)
            continue
        kept.append(part)
        longest = max(part.box[2] - part.box[0], part.box[3] - part.box[1])
        if longest < smallest * max(right - left, bottom - top):
            unsure.add(region.name)
    return sample.replace(
        width=right - left,
        height=bottom - top,
        window=(left + offset[0], top + offset[1], right + offset[0], bottom + offset[1]),
        regions=tuple(kept),
        complete=sample.complete - unsure,
        captions=(),
        questions=(),
        expressions=(),
    )


def visible_part(region: Region, window: Window) -> tuple[float, Region | None]:
    """The visible share of the region, 0–1, and what is left of it in the window's pixels (None below half)."""
    if region.polygon is None:
        share = visible_share(region.box, window)
        return share, replace(region, box=cut_box(region.box, window)) if share >= KEPT else None
    whole = polygon_area(region.polygon)
    if visible_share(region.box, window) >= 1:
        x, y = window[:2]
        moved = tuple(value - (x, y)[index % 2] for index, value in enumerate(region.polygon))
        return 1.0, replace(region, box=cut_box(region.box, window), polygon=moved)
    part = cut_polygon(region.polygon, window)
    share = polygon_area(part) / whole if whole > 0 else 0.0
    return share, replace(region, box=polygon_bounds(part), polygon=part) if share >= KEPT else None


def largest_clear(width: int, height: int, blocked: Sequence[XYXY]) -> Window | None:
    """The largest window of whole pixels that touches none of the blocked areas; None where there is none."""
    inside = [
        (max(0, floor(x1)), max(0, floor(y1)), min(width, ceil(x2)), min(height, ceil(y2)))
        for x1, y1, x2, y2 in blocked
    ]
    edges = sorted({0, width, *(x for area in inside for x in (area[0], area[2]))})
    best: Window | None = None
    for left, right in combinations(edges, 2):
        spans = sorted((area[1], area[3]) for area in inside if area[0] < right and area[2] > left)
        top = 0
        for start, end in (*spans, (height, height)):
            if start > top and (best is None or (right - left) * (start - top) > _area(best)):
                best = (left, top, right, start)
            top = max(top, end)
    return best


def _area(window: Window) -> int:
    return (window[2] - window[0]) * (window[3] - window[1])


def _draw(text: str) -> float:
    """A number in 0–1 that depends on the text alone."""
    return int.from_bytes(sha256(text.encode()).digest()[:8]) / 2**64
