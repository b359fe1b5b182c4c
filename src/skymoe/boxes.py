"""Boxes, horizontal and oriented: geometry and every notation models write them in.

Pixels have their origin in the top left corner, y points down, and coordinates are continuous: a box that covers a
whole picture is (0, 0, width, height). Angles are degrees, turned about the box's own centre; positive turns
x towards y, which is clockwise on the screen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skymoe.errors import UserError

XYXY = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: x1 ≤ x2, y1 ≤ y2 before it is turned by ``angle`` degrees about its centre."""

    x1: float
    y1: float
    x2: float
    y2: float
    angle: float = 0.0

    @property
    def xyxy(self) -> XYXY:
        """The corners before turning."""
        return self.x1, self.y1, self.x2, self.y2

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Square pixels; turning does not change it."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def polygon(self) -> tuple[float, ...]:
        """x1, y1, …, x4, y4: the turned corners, from the top left one clockwise."""
        cx, cy = self.center
        cos, sin = _cos_sin(self.angle)
        points: list[float] = []
        for x, y in ((self.x1, self.y1), (self.x2, self.y1), (self.x2, self.y2), (self.x1, self.y2)):
            dx, dy = x - cx, y - cy
            points += [cx + dx * cos - dy * sin, cy + dx * sin + dy * cos]
        return tuple(points)

    def enclosing(self) -> Box:
        """The smallest horizontal box around the turned one."""
        return self if self.angle == 0 else Box(*polygon_bounds(self.polygon()))

    def clip(self, width: float, height: float) -> Box:
        """The part inside a picture of ``width`` × ``height``.

        A turned box is left as it is: its corners before turning may lie outside though all of it is inside.
        """
        if self.angle != 0:
            return self
        return Box(
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
            min(max(self.x2, 0.0), width),
            min(max(self.y2, 0.0), height),
        )

    def to_dict(self) -> dict[str, Any]:
        """``{"x1", "y1", "x2", "y2"}`` in pixels and ``"angle"`` where the box is turned."""
        record: dict[str, Any] = {"x1": self.x1, "y1": self.y1, "x2": self.x2, "y2": self.y2}
        if self.angle != 0:
            record["angle"] = self.angle
        return record


def _cos_sin(angle: float) -> tuple[float, float]:
    # Exact at right angles, where boxes must fall on each other without rounding dust.
    turn = angle % 360
    exact = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
    return exact.get(turn) or (math.cos(math.radians(turn)), math.sin(math.radians(turn)))


def polygon_bounds(polygon: Sequence[float]) -> XYXY:
    """The horizontal box around x1, y1, x2, y2, …"""
    xs, ys = polygon[0::2], polygon[1::2]
    return min(xs), min(ys), max(xs), max(ys)


# --- overlap ---------------------------------------------------------------------------------------------------


def iou(a: XYXY, b: XYXY) -> float:
    """Intersection over union of two horizontal boxes; 0 where both are empty."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


# --- notations -------------------------------------------------------------------------------------------------

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_ANGLED = re.compile(
    rf"<{_NUMBER}>\s*<{_NUMBER}>\s*<{_NUMBER}>\s*<{_NUMBER}>(?:\s*\|\s*<{_NUMBER}>)?"
)
_LISTED = re.compile(rf"[\[\(]{_NUMBER},{_NUMBER}\)?\s*,\s*\(?{_NUMBER},{_NUMBER}[\]\)]")
SCALES = {"geochat": 100.0, "vrsbench": 100.0, "vhm": 999.0, "unit": 1.0, "qwen": 1000.0}
NOTATIONS = (*SCALES, "pixel", "auto")


def parse_boxes(text: str, width: float, height: float, notation: str = "geochat") -> tuple[Box, ...]:
    """Every box written in ``text``, in pixels of a ``width`` × ``height`` picture, clipped to it."""
    if notation not in NOTATIONS:
        raise UserError(f"unknown box notation {notation!r}: choose one of {', '.join(NOTATIONS)}")
    pattern = _ANGLED if notation in ("geochat", "vrsbench") else _LISTED
    if notation == "auto":
        pattern = _ANGLED if _ANGLED.search(text) else _LISTED
    found = []
    for match in pattern.finditer(text):
        values = [float(v) for v in match.groups()[:4]]
        angle = float(match.groups()[4] or 0) if pattern is _ANGLED else 0.0
        kind = notation
        if notation == "auto":
            kind = "geochat" if pattern is _ANGLED else "unit" if max(values) <= 1 else "pixel"
        sx, sy = (1.0, 1.0) if kind == "pixel" else (width / SCALES[kind], height / SCALES[kind])
        x1, y1, x2, y2 = values[0] * sx, values[1] * sy, values[2] * sx, values[3] * sy
        found.append(Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), angle).clip(width, height))
    return tuple(found)


def format_box(box: Box, width: float, height: float, notation: str = "geochat") -> str:
    """``box`` (pixels of a ``width`` × ``height`` picture) in the given notation."""
    scale = SCALES[notation]
    x1, x2 = _span(box.x1 / width * scale, box.x2 / width * scale, scale)
    y1, y2 = _span(box.y1 / height * scale, box.y2 / height * scale, scale)
    angle = f"|<{round(box.angle)}>" if round(box.angle) else ""
    return f"{{<{x1}><{y1}><{x2}><{y2}>{angle}}}"


def _span(low: float, high: float, scale: float) -> tuple[int, int]:
    # A thin object must not round to a box without area: no answer could ever overlap it.
    a, b = round(low), round(high)
    if a == b:
        a, b = math.floor(low), math.ceil(high)
    if a == b:
        a, b = (a - 1, b) if b >= scale else (a, b + 1)
    return a, b
