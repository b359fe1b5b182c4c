"""Whether a phrase names exactly one object: derived again, apart from the rules that made the phrase.

`tasks/expressions.py` writes phrases and `data/colours.py` measures colours; a mistake there would be made again
by calling them. Here a phrase is read with tables of its own, places are compared as numbers over all objects,
and a colour is judged by the median hue of the object's pixels instead of the share of sure ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from skymoe.sample import Region

_EDGES = {
    "left": (0, -1),
    "right": (0, 1),
    "top": (1, -1),
    "upper": (1, -1),
    "bottom": (1, 1),
    "lower": (1, 1),
}
_SIDES = {
    "leftmost": "left", "left-most": "left", "far left": "left", "rightmost": "right", "right-most": "right",
    "far right": "right", "topmost": "top", "top-most": "top", "uppermost": "top", "highest": "top",
    "bottommost": "bottom", "bottom-most": "bottom", "lowest": "bottom", "lowermost": "bottom",
} | {edge: edge for edge in _EDGES}  # fmt: skip
_SIZES = {"largest": 1, "biggest": 1, "smallest": -1}
_MIDDLE = {"central", "middle", "center", "centre", "most central"}
_ALONE = {"", "only", "single", "one"}
_HUES = {"red": (340, 20), "orange": (20, 45), "yellow": (45, 70), "green": (70, 175), "blue": (190, 265)}
COLOURS = ("white", "black", *_HUES)
# Rounding of stored boxes, against margins of several pixels.
_SLACK = 1e-3


def names_one(
    phrase: str, objects: Sequence[Region], width: int, height: int, picture: Image.Image | None
) -> Region:
    """The one object of a class that the phrase names. `objects` are all of that class, `phrase` without its noun.

    Raises:
        ValueError: with the reason, where it names none or several, or is not understood.
    """
    word = " ".join(re.sub(r"^(?:the|an?)\b", "", phrase.lower().strip()).split())
    if not objects:
        raise ValueError("there is no such object")
    if word in _ALONE:
        if len(objects) > 1:
            raise ValueError(f"there are {len(objects)} of them")
        return objects[0]
    if word in COLOURS:
        if picture is None:
            raise ValueError("a colour cannot be judged without the picture")
        return _by_colour(word, objects, picture)
    boxes = np.array([region.box for region in objects], dtype=np.float64)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return objects[_by_place(word, boxes, centres, np.array([width, height], dtype=np.float64))]


def _by_place(word: str, boxes: np.ndarray, centres: np.ndarray, size: np.ndarray) -> int:
    diagonal = math.hypot(*size)
    if word in _SIZES:
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        ranked = np.argsort(-_SIZES[word] * areas, kind="stable")
        if len(ranked) > 1:
            big, small = sorted((areas[ranked[0]], areas[ranked[1]]), reverse=True)
            if big < 1.15 * small * (1 - _SLACK):
                raise ValueError("two are nearly as large")
        return int(ranked[0])
    if word in _MIDDLE:
        far = np.hypot(*(centres - size / 2).T)
        return _first(far, diagonal, lambda n: far[n] <= 0.2 * diagonal * (1 + _SLACK))
    parts = re.split(r"[ -]", word)
    if len(parts) == 2 and all(part in _EDGES for part in parts):
        corner = np.zeros(2)
        for part in parts:
            axis, sign = _EDGES[part]
            corner[axis] = size[axis] if sign > 0 else 0
        far = np.hypot(*(centres - corner).T)
        return _first(
            far, diagonal, lambda n: bool((np.abs(centres[n] - corner) <= size / 2 + _SLACK * diagonal).all())
        )
    if word in _SIDES:
        axis, sign = _EDGES[_SIDES[word]]
        along = -sign * centres[:, axis]
        first = _first(along, diagonal, lambda n: True)
        outer = -sign * boxes[:, axis + (2 if sign > 0 else 0)]
        if (np.delete(outer, first) < outer[first] - _SLACK * diagonal).any():
            raise ValueError("another one reaches farther out")
        return first
    raise ValueError(f"{word!r} is not understood")


def _first(values: np.ndarray, diagonal: float, lies: Callable[[int], bool]) -> int:
    """The place of the least value, which must be less than all others by 5 % of the picture's diagonal."""
    ranked = np.argsort(values, kind="stable")
    first = int(ranked[0])
    if len(ranked) > 1 and values[ranked[1]] - values[first] < (0.05 - _SLACK) * diagonal:
        raise ValueError("two are nearly in the same place")
    if not lies(first):
        raise ValueError("it does not lie in that part of the picture")
    return first


def _by_colour(word: str, objects: Sequence[Region], picture: Image.Image) -> Region:
    fits = [region for region in objects if median_is(word, region, picture)]
    if len(fits) != 1:
        raise ValueError(f"{len(fits)} of {len(objects)} are {word}")
    return fits[0]


def median_is(word: str, region: Region, picture: Image.Image) -> bool:
    """Whether the median pixel of the middle of the object's box has that colour (hue, saturation, value)."""
    x1, y1, x2, y2 = region.box
    if region.polygon is not None:
        xs, ys = region.polygon[::2], region.polygon[1::2]
        middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    else:
        middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    half_x, half_y = max((x2 - x1) / 5, 1.0), max((y2 - y1) / 5, 1.0)
    left, top = int(middle_x - half_x), int(middle_y - half_y)
    window = (left, top, math.ceil(middle_x + half_x), math.ceil(middle_y + half_y))
    pixels = np.asarray(picture.crop(window)).reshape(-1, 3)
    red, green, blue = (float(value) / 255 for value in np.median(pixels, axis=0))
    high, low = max(red, green, blue), min(red, green, blue)
    spread = high - low
    if word == "white":
        return high > 0.7 and spread < 0.15
    if word == "black":
        return high < 0.3
    if spread < 0.08 or spread < 0.15 * high:
        return False
    if high == red:
        hue = 60 * ((green - blue) / spread % 6)
    elif high == green:
        hue = 60 * ((blue - red) / spread + 2)
    else:
        hue = 60 * ((red - green) / spread + 4)
    start, end = _HUES[word]
    return start <= hue < end if start < end else hue >= start or hue < end
