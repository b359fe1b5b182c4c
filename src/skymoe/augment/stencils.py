"""Which pixels an object covers, as small masks that know their place in the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skymoe.augment.opencv import opencv
from skymoe.sample import Region

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stencil:
    """``mask`` [height, width] whose top left pixel is (``left``, ``top``) of the picture."""

    left: int
    top: int
    mask: Mask

    @property
    def right(self) -> int:
        return self.left + self.mask.shape[1]

    @property
    def bottom(self) -> int:
        return self.top + self.mask.shape[0]

    @property
    def window(self) -> tuple[slice, slice]:
        """Where it lies in an array [height, width, …] of the picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def touches(self, other: Stencil) -> bool:
        """Whether the two share a pixel."""
        left, right = max(self.left, other.left), min(self.right, other.right)
        top, bottom = max(self.top, other.top), min(self.bottom, other.bottom)
        if left >= right or top >= bottom:
            return False
        mine = self.mask[top - self.top : bottom - self.top, left - self.left : right - self.left]
        its = other.mask[top - other.top : bottom - other.top, left - other.left : right - other.left]
        return bool((mine & its).any())

    def grown(self, by: int, width: int, height: int) -> Stencil:
        """Larger by so many pixels all round, inside a picture of that size."""
        if by <= 0:
            return self
        cv2 = opencv()
        left, top = max(self.left - by, 0), max(self.top - by, 0)
        right, bottom = min(self.right + by, width), min(self.bottom + by, height)
        canvas = np.zeros((bottom - top, right - left), np.uint8)
        canvas[self.top - top : self.bottom - top, self.left - left : self.right - left] = self.mask
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
        return Stencil(left, top, cv2.dilate(canvas, kernel) > 0)

    def moved(self, dx: int, dy: int) -> Stencil:
        return Stencil(self.left + dx, self.top + dy, self.mask)

    def paint(self, canvas: Mask) -> None:
        """Sets its pixels in a mask of the picture's size."""
        canvas[self.window] |= self.mask


def cover(region: Region, width: int, height: int) -> Stencil:
    """Every pixel the object's polygon, or else its box, touches; of a polygon up to 2.3 pixels more.

    The rim is for deciding what overlaps. What is painted is :func:`shape`.
    """
    if region.polygon is None:
        x1, y1, x2, y2 = region.box
        left, top = max(math.floor(x1), 0), max(math.floor(y1), 0)
        right, bottom = min(math.ceil(x2), width), min(math.ceil(y2), height)
        return Stencil(left, top, np.ones((max(bottom - top, 0), max(right - left, 0)), np.bool_))
    return polygon_stencil(region.polygon, width, height).grown(1, width, height)


FINE = 4
"""Parts of a pixel's side in which a polygon to be painted is drawn."""


def shape(region: Region, width: int, height: int) -> Stencil:
    """The pixels of the object itself: its box, or every pixel that a part of its polygon lies in.

    Drawn four times as large: `fillPoly` may miss pixels whose middle is inside, which is then a quarter as much.
    """
    if region.polygon is None:
        return cover(region, width, height)
    large = polygon_stencil(tuple(v * FINE for v in region.polygon), width * FINE, height * FINE)
    left, top = large.left // FINE, large.top // FINE
    right, bottom = -(-large.right // FINE), -(-large.bottom // FINE)
    canvas = np.zeros(((bottom - top) * FINE, (right - left) * FINE), np.bool_)
    y, x = large.top - top * FINE, large.left - left * FINE
    canvas[y : y + large.mask.shape[0], x : x + large.mask.shape[1]] = large.mask
    blocks = canvas.reshape(bottom - top, FINE, right - left, FINE)
    touched: Mask = np.any(blocks, axis=(1, 3))
    return Stencil(left, top, touched)


def polygon_stencil(polygon: tuple[float, ...], width: int, height: int) -> Stencil:
    """The pixels inside a polygon and those its outline passes."""
    xs, ys = np.array(polygon[0::2]), np.array(polygon[1::2])
    left, top = max(math.floor(xs.min()), 0), max(math.floor(ys.min()), 0)
    right, bottom = min(math.ceil(xs.max()), width), min(math.ceil(ys.max()), height)
    mask = np.zeros((max(bottom - top, 0), max(right - left, 0)), np.uint8)
    if mask.size:
        # OpenCV counts from the middle of the first pixel; 4 binary places of a pixel.
        points = np.stack([xs - left - 0.5, ys - top - 0.5], 1)
        opencv().fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return Stencil(left, top, mask > 0)
