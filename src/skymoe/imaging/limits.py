"""How large a picture may be, and how large its pixels are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skymoe.errors import UserError

WORKING_PIXELS = 40_000_000
"""Rasters with more pixels are read reduced to at most this many, and so is every picture a model is asked about."""
MAX_PIXELS = 250_000_000
"""PNG, JPEG … with more pixels are refused (decompression bombs); GeoTIFFs are read reduced instead."""
WORKING_SIDE = 65_536
"""What is read reduced has no longer side: a picture one pixel wide takes far more memory than one as square."""
MAX_SIDE = 1_000_000
"""PNG and BMP with a longer side are refused; the other formats know none as long, but for TIFF."""
MAX_WHOLE_PIXELS = 40_000_000
"""WebP, GIF, packed BMP, JPEG in several scans and interlaced PNG of more pixels are refused: they must be decoded as a
whole, in several copies at a time."""
MAX_RASTER_PIXELS = 20_000_000_000
"""Rasters with more pixels are refused: even a reduced reading must walk through all of them."""
MAX_BLOCK_BYTES = 1 << 28
"""One strip or tile must be decoded whole; a bigger one is a decompression bomb or unusable."""
MAX_FILE_BYTES = 1 << 30
"""PNG, JPEG … files with more bytes are refused."""
FREE_BYTES = 1 << 28
"""Decoded bytes that a file of any size may ask for; beyond, each of its bytes may become `MAX_RATIO`."""
MAX_MEMORY = 4 << 30
"""Bytes that decoding any picture may take, whatever its job says."""
MAX_RATIO = 1032
"""Deflate cannot do better. Files that do hold one colour, or nothing (sparse TIFF)."""


@dataclass(frozen=True)
class Limits:
    """What one reading must keep to. `pixels`: the most that are needed, larger pictures are reduced; None: all."""

    pixels: int | None = None
    most_pixels: int = MAX_PIXELS
    raster_pixels: int = MAX_RASTER_PIXELS
    block_bytes: int = MAX_BLOCK_BYTES

    def reduction(self, width: int, height: int) -> float:
        """By how much each side is to be divided: 1 or more."""
        if self.pixels is None:
            return 1.0
        return max(1.0, math.sqrt(width * height / self.pixels), max(width, height) / WORKING_SIDE)

    def admits(self, width: int, height: int) -> bool:
        """Whether a decoded picture may be so large; sides that were reduced may have been rounded up."""
        if self.pixels is None:
            return 0 < width * height <= self.most_pixels
        fits = max(width, height) <= WORKING_SIDE + 1
        return fits and 0 < width * height < self.pixels + width + height

    def check(self, width: int, height: int, name: str, whole: bool = False) -> None:
        """UserError for a picture of too many pixels; `whole`: it can only be decoded in one piece."""
        if max(width, height) > MAX_SIDE:
            raise UserError(f"{name}: a side of {width}×{height} pixels is more than {MAX_SIDE:,}; cut it up")
        most = min(self.most_pixels, MAX_WHOLE_PIXELS) if whole else self.most_pixels
        if width * height > most:
            raise UserError(f"{name}: {width}×{height} pixels are more than {most:,}; make it smaller")
