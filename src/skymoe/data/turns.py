"""The eight ways to turn and mirror a picture onto its own axes (the dihedral group of the square)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PIL import Image

from skymoe.sample import XYXY

Point = tuple[float, float]


class Turn(Enum):
    """The matrix that maps directions in the picture (x to the right, y down): x' = a·x + b·y, y' = c·x +
    d·y.

    `ROTATE_90` turns counter-clockwise as Pillow's constant of that name does.
    """

    NONE = (1, 0, 0, 1)
    FLIP_LEFT_RIGHT = (-1, 0, 0, 1)
    FLIP_TOP_BOTTOM = (1, 0, 0, -1)
    ROTATE_180 = (-1, 0, 0, -1)
    ROTATE_90 = (0, 1, -1, 0)
    ROTATE_270 = (0, -1, 1, 0)
    TRANSPOSE = (0, 1, 1, 0)
    TRANSVERSE = (0, -1, -1, 0)

    @property
    def swaps_axes(self) -> bool:
        """Whether width and height, vertical and horizontal change places."""
        return not self.value[0]

    @property
    def mirrors(self) -> bool:
        """Whether left-handed becomes right-handed (and clockwise counter-clockwise)."""
        a, b, c, d = self.value
        return a * d - b * c < 0

    @property
    def swaps_diagonals(self) -> bool:
        """Whether the main diagonal (top left to bottom right) becomes the minor one."""
        x, y = self.direction(1, 1)
        return x != y

    @property
    def inverse(self) -> Turn:
        a, b, c, d = self.value
        return Turn((a, c, b, d))

    def direction(self, x: int, y: int) -> tuple[int, int]:
        """Where a direction points after the turn."""
        a, b, c, d = self.value
        return a * x + b * y, c * x + d * y

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the turned picture."""
        return (height, width) if self.swaps_axes else (width, height)

    def point(self, x: float, y: float, width: float, height: float) -> Point:
        """Where a point of a `width` × `height` picture lies after the turn, pixels."""
        a, b, c, d = self.value
        along, across = (x, y) if a else (y, x)
        far, high = (width, height) if a else (height, width)
        return (along if a + b > 0 else far - along), (across if c + d > 0 else high - across)

    def box(self, box: XYXY, width: float, height: float) -> XYXY:
        """Where a box of a `width` × `height` picture lies after the turn, pixels."""
        x1, y1 = self.point(box[0], box[1], width, height)
        x2, y2 = self.point(box[2], box[3], width, height)
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def polygon(self, polygon: Sequence[float], width: float, height: float) -> tuple[float, ...]:
        """The turned polygon, x1, y1, …; mirrored ones are listed backwards so that their sense stays."""
        points = [
            self.point(*point, width, height) for point in zip(polygon[::2], polygon[1::2], strict=True)
        ]
        if self.mirrors:
            points.reverse()
        return tuple(value for point in points for value in point)

    def apply(self, picture: Image.Image) -> Image.Image:
        """The turned picture."""
        return picture if self is Turn.NONE else picture.transpose(Image.Transpose[self.name])
