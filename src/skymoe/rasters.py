"""TIFF and GeoTIFF (and 16-bit PNG) to an 8-bit RGB picture, through GDAL in a process of its own.

What a raster's numbers look like as a picture is a choice; ours, used everywhere:

* colour: the bands tagged red, green, blue; else the first three (a fourth band, usually near infrared, is
  left out); one or two bands give a grey picture; a palette is looked up; CMYK is converted.
* depth: 8-bit values stay as they are. Everything else (16 bit, float, …) is stretched so that the 2nd and
  98th percentile of the valid values become black and white, with **one** stretch for all bands so that
  colours keep their relation.
* nodata, NaN and masked pixels are black, and an alpha band is composited over black.
* rasters above `WORKING_PIXELS` are read reduced (averaged); `picture.info["file_size"]` tells the size of
  the file's grid.

GDAL can open far more than pictures, among them addresses on the network and descriptions that point elsewhere, and a
TIFF can name any of those. So it never runs in the user's process. A child process (`skymoe.imaging.worker`)
has the two drivers that are needed and no other, is sent the bytes of one file, ignores what the file says about
others and the side files beside it (`.aux.xml`, `.ovr`, `.msk` …), and on Linux and macOS can open no file and no
connection at all. A picture that takes too much memory or time is refused.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from skymoe.imaging import limits as _limits
from skymoe.imaging.keeper import Keeper
from skymoe.imaging.limits import Limits
from skymoe.imaging.stretching import stretch
from skymoe.imaging.wire import Job

__all__ = ["MAX_BLOCK_BYTES", "MAX_RASTER_PIXELS", "WORKING_PIXELS", "read_apart", "read_raster", "stretch"]

WORKING_PIXELS = _limits.WORKING_PIXELS
MAX_RASTER_PIXELS = _limits.MAX_RASTER_PIXELS
MAX_BLOCK_BYTES = _limits.MAX_BLOCK_BYTES
LOCAL_SECONDS = 600.0
"""A user's own file may take this long; Ctrl+C ends it before."""
LOCAL_MEMORY = _limits.MAX_MEMORY
"""Bytes that decoding a user's own file may take."""

_MOST = min(4, os.cpu_count() or 1)
_local, _remote = Keeper(_MOST), Keeper(_MOST)


def read_raster(
    source: Path | bytes | BinaryIO, name: str, kind: str = "TIFF", limits: Limits | None = None
) -> Image.Image:
    """The raster in `source` (a plain local file, open or not, or its bytes) as PIL RGB; errors call it `name`.

    `kind` is TIFF, PNG (16 bits) or `PNG lines` (a large one of 8 bits).

    Raises UserError when it cannot be read, is truncated, or is too large to be read even reduced.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return read_raster(opened, name, kind, limits)
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    limits = replace(limits or Limits(), raster_pixels=MAX_RASTER_PIXELS, block_bytes=MAX_BLOCK_BYTES)
    if kind == "TIFF":
        limits = replace(limits, pixels=min(limits.pixels or WORKING_PIXELS, WORKING_PIXELS))
    size = file.seek(0, io.SEEK_END)
    return _local.decode(file, Job(kind, name, size, LOCAL_SECONDS, LOCAL_MEMORY, limits))


def read_apart(
    data: bytes,
    name: str,
    *,
    seconds: float,
    memory: int,
    limits: Limits,
    cancelled: Callable[[], bool] | None,
) -> Image.Image:
    """A picture of any kind that somebody sent, decoded away from this process; see `pictures.open_picture_apart`."""
    return _remote.decode(io.BytesIO(data), Job("any", name, len(data), seconds, memory, limits), cancelled)
