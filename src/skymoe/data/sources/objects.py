"""Annotated objects as the files have them, and what makes them sound: inside the picture, with an area, an
outline that does not cross itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skymoe.boxes import oriented_box, polygon_area, polygon_bounds
from skymoe.data.cuts import SLIVER, cut_polygon
from skymoe.sample import XYXY, Region

THINNEST = 0.01
"""Pixels; what is thinner has an area only by rounding."""


class DamagedError(ValueError):
    """An entry or an object that can't be used; the text is its reason in the quarantine."""


@dataclass(frozen=True, slots=True)
class RawObject:
    """An object as a file has it.

    ``name`` is the class in the file's own words, ``corners`` x1, y1, x2, y2 of a box or x, y of three or more
    corners, in pixels. ``phrase`` is the expression that refers to it, where the data set has one.
    """

    name: str
    corners: tuple[float, ...]
    difficult: bool = False
    phrase: str = ""


def label_lines(path: Path) -> list[str]:
    """The lines of one picture's label file that are not blank; DamagedError when it is missing or no text."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DamagedError(f"annotation {path.name} is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"annotation {path.name} is damaged, no text") from error
    return [line.strip() for line in lines if line.strip()]


def sound_region(
    name: str, corners: Sequence[float], width: int, height: int, *, difficult: bool = False
) -> Region:
    """The region of a `width` × `height` picture that the corners mean, clipped to the picture.

    Corners of a box may come in any order. Four corners that cross or dent are replaced by the smallest
    rectangle around them; a rectangle that stands straight is kept as a box without polygon. Raises
    DamagedError where nothing of it is to be seen.
    """
    if len(corners) < 4 or len(corners) % 2 or len(corners) == 2:
        raise DamagedError(f"{name} has {len(corners)} coordinates")
    if not all(math.isfinite(value) for value in corners):
        raise DamagedError(f"{name} has a coordinate that is no number")
    whole: XYXY = (0.0, 0.0, float(width), float(height))
    bounds = polygon_bounds(corners)
    if bounds[2] <= bounds[0] or bounds[3] <= bounds[1]:
        raise DamagedError(f"{name} has a box without area: {_written(bounds)}")
    polygon = _outline(corners) if len(corners) > 4 else None
    if polygon is not None and not polygon_area(polygon) > 0:
        raise DamagedError(f"{name} has an outline without area: {_written(corners)}")
    if polygon is not None:  # a rectangle around corners that cross may reach farther than they do
        bounds = polygon_bounds(polygon)
    if bounds[0] < 0 or bounds[1] < 0 or bounds[2] > width or bounds[3] > height:
        bounds, polygon = _clipped(name, bounds, polygon, whole)
    # What rounding left outside by a hair is brought to the edge.
    x1, y1, x2, y2 = _inside(bounds, width, height)
    polygon = _inside(polygon, width, height) if polygon else None
    area = polygon_area(polygon) if polygon else math.inf
    if min(x2 - x1, y2 - y1) < THINNEST or area < THINNEST * THINNEST:
        raise DamagedError(f"{name} is thinner than a hundredth of a pixel")
    return Region(name, (x1, y1, x2, y2), polygon, difficult)


def _inside(corners: Sequence[float], width: int, height: int) -> tuple[float, ...]:
    sides = width, height
    return tuple(min(max(value, 0.0), float(sides[place % 2])) for place, value in enumerate(corners))


def _clipped(
    name: str, bounds: XYXY, polygon: tuple[float, ...] | None, whole: XYXY
) -> tuple[XYXY, tuple[float, ...] | None]:
    x1, y1, x2, y2 = bounds
    outline = polygon or (x1, y1, x2, y1, x2, y2, x1, y2)
    inside = cut_polygon(outline, whole)
    if polygon_area(inside) <= SLIVER * polygon_area(outline):
        raise DamagedError(
            f"{name} lies outside the {whole[2]:.0f}×{whole[3]:.0f} picture: {_written(bounds)}"
        )
    return polygon_bounds(inside), inside if polygon else None


def _outline(corners: Sequence[float]) -> tuple[float, ...] | None:
    """The corners as a polygon; None for a straight rectangle, a rectangle around four that are not convex."""
    points = list(zip(corners[::2], corners[1::2], strict=True))
    if len(points) != 4:
        return tuple(float(value) for value in corners)
    if len({x for x, _ in points}) == 2 == len({y for _, y in points}) and len(set(points)) == 4:
        return None
    turns = []
    for (ax, ay), (bx, by), (cx, cy) in zip(
        points, points[1:] + points[:1], points[2:] + points[:2], strict=True
    ):
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    if all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns):
        return tuple(float(value) for value in corners)
    return oriented_box(corners).polygon()


def _written(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
