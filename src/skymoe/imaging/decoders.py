"""All decoders, as they are used in the worker."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin

from skymoe.imaging import kinds
from skymoe.imaging.bands import read_bands
from skymoe.imaging.gdal import Served, confine, opened
from skymoe.imaging.limits import Limits
from skymoe.imaging.lines import read_lines
from skymoe.imaging.plain import orientation
from skymoe.imaging.tiff_tags import TiffTags
from skymoe.imaging.upright import upright
from skymoe.imaging.wire import Job

__all__ = ["confine", "decoded", "warm_up"]


def decoded(job: Job, file: BinaryIO) -> Image.Image:
    """The picture of a job; raises UserError and MemoryError."""
    if job.kind == "any":
        return kinds.decode(file, job.name, job.limits, raster)
    return raster(file, job.name, job.limits, job.kind)


def raster(file: BinaryIO, name: str, limits: Limits, kind: str) -> Image.Image:
    """What GDAL is for: `TIFF`, `PNG` of 16 bits, and `PNG lines`, a large one of 8."""
    size = file.seek(0, io.SEEK_END)
    if kind == "TIFF":
        tags = TiffTags(file, size, name)
        with opened(Served(file, tags.patches), "GTiff", name) as data:
            return upright(read_bands(data, name, limits, size), tags.orientation)
    file.seek(0)
    head = PngImagePlugin.PngImageFile(file)
    turned = (
        orientation(head) if "exif" in head.info else 1
    )  # else Pillow would look for it behind the pixels
    with opened(Served(file, {}), "PNG", name) as data:
        lines = kind == "PNG lines"
        return upright(read_lines(data, limits) if lines else read_bands(data, name, limits, size), turned)


def warm_up() -> None:
    """Decode one of each, so that nothing has to be loaded from a file afterwards."""
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for kind in ("TIFF", "PNG", "JPEG", "GIF", "BMP", "WEBP"):
        for array in (deep, (deep * 4).astype(np.uint8)):
            if array.dtype == np.uint8 or kind in ("TIFF", "PNG"):
                file = io.BytesIO()
                Image.fromarray(array).save(file, kind)
                file.seek(0)
                kinds.decode(file, "", Limits(pixels=16), raster)
