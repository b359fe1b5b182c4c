"""Boxes, horizontal and oriented: their geometry, and every notation models write them in.

Pixels have their origin in the top left corner, y points down, and coordinates are continuous: a box that
covers a whole picture is (0, 0, width, height), and there is no "+1". Angles are degrees about the centre
of the box; positive turns x towards y, clockwise on the screen (as GeoChat is scored; its demo draws the
reverse).
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
        """x1, y1, …, x4, y4: the turned corners, clockwise on the screen, beginning with the top left one."""
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
        """The part inside a picture of ``width`` × ``height`` pixels.

        A turned box is left as it is: its corners before turning may lie outside though all of it is inside.
        Where a horizontal box is wanted, write ``box.enclosing().clip(width, height)``.
        """
        if self.angle != 0:
            return self
        return Box(
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
            min(max(self.x2, 0.0), width),
            min(max(self.y2, 0.0), height),
        )

    def move(self, move: str, width: float, height: float) -> Box:
        """Where the box is after the picture was flipped or turned; see :func:`move_points`."""
        swap, flip_x, flip_y = _parts(move)
        # A reflection turns the sense of rotation round, a rotation does not.
        mirrored = (swap + flip_x + flip_y) % 2 == 1
        return Box(*move_box(self.xyxy, move, width, height), -self.angle if mirrored else self.angle)

    def to_dict(self) -> dict[str, Any]:
        """``{"x1", "y1", "x2", "y2"}`` in pixels, and ``"angle"`` in degrees where the box is turned."""
        record: dict[str, Any] = {"x1": self.x1, "y1": self.y1, "x2": self.x2, "y2": self.y2}
        if self.angle != 0:
            record["angle"] = self.angle
        return record


def _cos_sin(angle: float) -> tuple[float, float]:
    # Exact at right angles, where boxes must fall on each other without rounding dust.
    turn = angle % 360
    exact = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}
    return exact.get(turn) or (math.cos(math.radians(turn)), math.sin(math.radians(turn)))


def oriented_box(polygon: Sequence[float]) -> Box:
    """The smallest rectangle around x1, y1, x2, y2, …, with an angle in (-45, 45]."""
    hull = _hull([(polygon[i], polygon[i + 1]) for i in range(0, len(polygon), 2)])
    best: Box | None = None
    for (ax, ay), (bx, by) in zip(hull, hull[1:] + hull[:1], strict=True):
        angle = math.degrees(math.atan2(by - ay, bx - ax)) % 90
        angle = angle - 90 if angle > 45 else angle
        cos, sin = _cos_sin(angle)
        us = [x * cos + y * sin for x, y in hull]
        vs = [y * cos - x * sin for x, y in hull]
        u, v = (min(us) + max(us)) / 2, (min(vs) + max(vs)) / 2
        half_w, half_h = (max(us) - min(us)) / 2, (max(vs) - min(vs)) / 2
        if best is None or 4 * half_w * half_h < best.area:
            cx, cy = u * cos - v * sin, u * sin + v * cos
            best = Box(cx - half_w, cy - half_h, cx + half_w, cy + half_h, angle)
    assert best is not None, "a polygon has points"
    return best


def polygon_bounds(polygon: Sequence[float]) -> XYXY:
    """The horizontal box around x1, y1, x2, y2, …"""
    xs, ys = polygon[0::2], polygon[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _hull(points: list[Point]) -> list[Point]:
    """Convex hull, monotone chain; a single point stays one point."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    half: list[list[Point]] = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[Point] = []
        for point in sequence:
            while len(chain) > 1 and _side(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        half.append(chain[:-1])
    return half[0] + half[1]


def _side(a: Point, b: Point, p: Point) -> float:
    """Twice the signed area of the triangle a, b, p; positive where a, b, p is clockwise on the screen."""
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


# --- overlap -----------------------------------------------------------------------------------------------


def iou(a: XYXY, b: XYXY) -> float:
    """Intersection over union of two horizontal boxes; 0 where both are empty."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return min(shared / union, 1.0) if union > 0 else 0.0


def rotated_iou(a: Box, b: Box) -> float:
    """Intersection over union of two oriented boxes, exact: their overlap is a convex polygon."""
    if a.angle == 0 and b.angle == 0:
        return iou(a.xyxy, b.xyxy)
    return polygon_iou(a.polygon(), b.polygon())


def polygon_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two convex polygons x1, y1, x2, y2, … in either direction."""
    shared = polygon_area(_clip_convex(_clockwise(a), _clockwise(b)))
    union = polygon_area(a) + polygon_area(b) - shared
    return min(shared / union, 1.0) if union > 0 else 0.0


def polygon_area(polygon: Sequence[float]) -> float:
    """The area inside a simple outline x1, y1, x2, y2, …; 0 for fewer than three points."""
    return abs(_signed_area(polygon))


def _signed_area(polygon: Sequence[float]) -> float:
    if len(polygon) < 6:
        return 0.0
    # From the first point, so that far-away small polygons keep their digits.
    x0, y0 = polygon[0], polygon[1]
    points = [(polygon[i] - x0, polygon[i + 1] - y0) for i in range(0, len(polygon), 2)]
    turns = zip(points, points[1:] + points[:1], strict=True)
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in turns) / 2


def _clockwise(polygon: Sequence[float]) -> list[Point]:
    points = [(polygon[i], polygon[i + 1]) for i in range(0, len(polygon), 2)]
    return points if _signed_area(polygon) >= 0 else points[::-1]


def _clip_convex(subject: list[Point], window: list[Point]) -> tuple[float, ...]:
    """Sutherland–Hodgman: what of ``subject`` lies inside ``window``; both convex and clockwise."""
    kept = subject
    for a, b in zip(window, window[1:] + window[:1], strict=True):
        if a == b:
            continue
        given, kept = kept, []
        for p, q in zip(given, given[1:] + given[:1], strict=True):
            p_side, q_side = _side(a, b, p), _side(a, b, q)
            if p_side >= 0:
                kept.append(p)
            if (p_side > 0 > q_side) or (p_side < 0 < q_side):
                t = p_side / (p_side - q_side)
                kept.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
        if not kept:
            return ()
    return tuple(value for point in kept for value in point)


# --- flips and turns ---------------------------------------------------------------------------------------

# Swap x and y first, then mirror x, then mirror y. The names are those of PIL.Image.Transpose, in lower case.
_MOVES = {
    "identity": (False, False, False),
    "flip_left_right": (False, True, False),
    "flip_top_bottom": (False, False, True),
    "rotate_180": (False, True, True),
    "transpose": (True, False, False),
    "rotate_90": (True, False, True),
    "rotate_270": (True, True, False),
    "transverse": (True, True, True),
}
MOVES = tuple(_MOVES)


def _parts(move: str) -> tuple[bool, bool, bool]:
    if move not in _MOVES:
        raise UserError(f"unknown move {move!r}: choose one of {', '.join(MOVES)}")
    return _MOVES[move]


def moved_size(move: str, width: float, height: float) -> tuple[float, float]:
    """Width and height of a ``width`` × ``height`` picture after the move."""
    return (height, width) if _parts(move)[0] else (width, height)


def move_points(polygon: Sequence[float], move: str, width: float, height: float) -> tuple[float, ...]:
    """x1, y1, x2, y2, … after the ``width`` × ``height`` picture was moved.

    ``move`` is one of :data:`MOVES`, the eight ways to lay a picture on itself, named as PIL names them
    (``rotate_90`` turns anticlockwise).
    """
    swap, flip_x, flip_y = _parts(move)
    new_width, new_height = moved_size(move, width, height)
    points: list[float] = []
    for i in range(0, len(polygon), 2):
        x, y = polygon[i], polygon[i + 1]
        x, y = (y, x) if swap else (x, y)
        points += [new_width - x if flip_x else x, new_height - y if flip_y else y]
    return tuple(points)


def move_box(box: XYXY, move: str, width: float, height: float) -> XYXY:
    """A horizontal box after the ``width`` × ``height`` picture was moved; see :func:`move_points`."""
    return polygon_bounds(move_points(box, move, width, height))


# --- notations ---------------------------------------------------------------------------------------------

SCALES = {"geochat": 100.0, "vrsbench": 100.0, "vhm": 999.0, "unit": 1.0, "qwen": 1000.0}
NOTATIONS = (*SCALES, "pixel", "auto")

# The length limits keep absurd numbers from becoming infinities.
_NUMBER = r"\s*([+-]?(?:\d{1,6}(?:\.\d{0,12})?|\.\d{1,12}))\s*"
_ANGLED = re.compile(r"[\s,]*".join([f"<{_NUMBER}>"] * 4) + rf"(?:\s*\|\s*<{_NUMBER}>)?")
_LISTED = re.compile(rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}[\])]")
_PAIRED = re.compile(rf"[\[(]{_NUMBER},{_NUMBER}[\])]\s*,?\s*[\[(]{_NUMBER},{_NUMBER}[\])]")
_Found = list[tuple[list[float], float]]


def parse_boxes(
    text: str,
    width: float,
    height: float,
    notation: str = "geochat",
    input_size: tuple[float, float] | None = None,
) -> tuple[Box, ...]:
    """Every box written in ``text``, in pixels of a ``width`` × ``height`` picture and clipped to it.

    ========  ====================================================  =======================================
    notation  written                                               scale
    ========  ====================================================  =======================================
    geochat   ``{<x1><y1><x2><y2>}`` or ``{<x1><y1><x2><y2>|<θ>}``  0–100, θ in degrees
    vrsbench  ``{<x1><y1><x2><y2>}``                                0–100
    vhm       ``[x1, y1, x2, y2]``                                  0–999
    unit      ``[x1, y1, x2, y2]`` (LHRS-Bot, LLaVA)                0–1
    qwen      ``(x1,y1),(x2,y2)`` or ``[x1, y1, x2, y2]``           0–1000
    pixel     ``[x1, y1, x2, y2]`` (Qwen2.5-VL)                     pixels of ``input_size``, the picture as
                                                                    the model saw it (default: as it is)
    ========  ====================================================  =======================================

    ``auto`` decides once for the whole text: angle brackets are geochat; point pairs are qwen; lists are unit
    where no number is above 1, pixel where all of them lie inside the picture, else qwen (VHM's 0–999 cannot
    be told from it, and differs by a thousandth). Corners in the wrong order are put right. Raises UserError
    for an unknown notation, never for a text.
    """
    if notation not in NOTATIONS:
        raise UserError(f"unknown box notation {notation!r}: choose one of {', '.join(NOTATIONS)}")
    seen_width, seen_height = input_size or (width, height)
    kind, found = _find(text, notation, seen_width, seen_height)
    if kind == "pixel":
        sx, sy = width / seen_width, height / seen_height
    else:
        sx, sy = width / SCALES[kind], height / SCALES[kind]
    boxes = []
    for (a, b, c, d), angle in found:
        xs, ys = sorted((a * sx, c * sx)), sorted((b * sy, d * sy))
        boxes.append(Box(xs[0], ys[0], xs[1], ys[1], angle).clip(width, height))
    return tuple(boxes)


def _find(text: str, notation: str, width: float, height: float) -> tuple[str, _Found]:
    """The notation found and the four numbers and the angle of every box, unscaled."""
    if notation in ("geochat", "vrsbench") or (notation == "auto" and _ANGLED.search(text)):
        groups = [match.groups() for match in _ANGLED.finditer(text)]
        return "geochat", [([float(v) for v in g[:4]], float(g[4] or 0)) for g in groups]
    pairs: _Found = [([float(v) for v in m.groups()], 0.0) for m in _PAIRED.finditer(text)]
    lists: _Found = [([float(v) for v in m.groups()], 0.0) for m in _LISTED.finditer(text)]
    if notation != "auto":
        return notation, pairs or lists
    if pairs or not lists:
        return "qwen", pairs
    if all(value <= 1 for values, _ in lists for value in values):
        return "unit", lists
    inside = all(max(v[0], v[2]) <= width and max(v[1], v[3]) <= height for v, _ in lists)
    return "pixel" if inside else "qwen", lists


def format_box(
    box: Box,
    width: float,
    height: float,
    notation: str = "geochat",
    input_size: tuple[float, float] | None = None,
) -> str:
    """``box`` (pixels of a ``width`` × ``height`` picture) as :func:`parse_boxes` reads it.

    An oriented box keeps its angle, in whole degrees, in geochat; elsewhere its enclosing box is written.
    No box is written without area, however small the object: nothing could ever overlap it.
    """
    if notation not in NOTATIONS or notation == "auto":
        known = ", ".join((*SCALES, "pixel"))
        raise UserError(f"cannot write boxes in the notation {notation!r}: choose one of {known}")
    angle = round(box.angle) if notation == "geochat" else 0
    if angle == 0:
        box = box.enclosing().clip(width, height)
    seen = input_size or (width, height)
    scale_x, scale_y = seen if notation == "pixel" else (SCALES[notation], SCALES[notation])
    step = 0.001 if notation == "unit" else 1
    x1, x2 = _span(box.x1 / width * scale_x / step, box.x2 / width * scale_x / step, scale_x / step)
    y1, y2 = _span(box.y1 / height * scale_y / step, box.y2 / height * scale_y / step, scale_y / step)
    if notation == "unit":
        return f"[{x1 * step:.3f}, {y1 * step:.3f}, {x2 * step:.3f}, {y2 * step:.3f}]"
    if notation == "qwen":
        return f"<|box_start|>({x1},{y1}),({x2},{y2})<|box_end|>"
    if notation in ("vhm", "pixel"):
        return f"[{x1}, {y1}, {x2}, {y2}]"
    return f"{{<{x1}><{y1}><{x2}><{y2}>" + (f"|<{angle}>}}" if angle else "}")


def _span(low: float, high: float, scale: float) -> tuple[int, int]:
    """Both ends rounded, and apart: a thin object grows to the step it lies in."""
    a, b = round(low), round(high)
    if a == b:
        a, b = math.floor(low), math.ceil(high)
    if a == b:
        a, b = (a - 1, b) if b + 1 > scale else (a, b + 1)
    return a, b
