"""Large PNGs, a few lines at a time, in the memory of a small one. Runs in the worker only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from skymoe.imaging.bands import always_valid, palette
from skymoe.imaging.limits import Limits
from skymoe.imaging.plain import to_rgb

_PIXELS = 1 << 22
"""Pixels read at once."""


def read_lines(raster: Any, limits: Limits) -> Image.Image:
    """An 8-bit PNG as Pillow would decode it, its sides divided by a whole number that brings it to `limits.pixels`."""
    width, height = raster.width, raster.height
    factor = math.ceil(limits.reduction(width, height))
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    table = palette(raster) if raster.colorinterp[0] == ColorInterp.palette else None
    step = factor * max(1, _PIXELS // width // factor)
    for top in range(0, height, step):
        window = Window(0, top, width, min(step, height - top))
        strip = to_rgb(_strip(raster, window, table))
        reduced.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    reduced.info["file_size"] = (width, height)
    return reduced


def _strip(raster: Any, window: Window, table: NDArray[np.uint8] | None) -> Image.Image:
    """Some lines as a PIL picture of the mode that the bands have."""
    values = raster.read(window=window)
    if table is not None:
        return Image.fromarray(table[values[0]])
    if len(values) == 1:
        bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
        picture = Image.fromarray(values[0] * np.uint8(255 // (2 ** min(bits, 8) - 1)))
    else:
        picture = Image.merge(
            {2: "LA", 3: "RGB", 4: "RGBA"}[len(values)], [Image.fromarray(band) for band in values]
        )
    if len(values) in (1, 3) and not always_valid(raster, 1):  # one colour stands for clear
        picture.putalpha(Image.fromarray(raster.dataset_mask(window=window)))
    return picture
