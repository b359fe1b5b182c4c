"""What kind of picture some bytes are, and who decodes that kind."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging.limits import MAX_FILE_BYTES, WORKING_PIXELS, Limits
from skymoe.imaging.plain import damaged, finish, plain
from skymoe.imaging.tiff_tags import MAGICS

Raster = Callable[[BinaryIO, str, Limits, str], Image.Image]
"""Decodes what GDAL is for: the file, its name for messages, the limits, and `TIFF`, `PNG` or `PNG lines`."""


def decode(file: BinaryIO, name: str, limits: Limits, raster: Raster) -> Image.Image:
    """The picture in `file` as upright RGB; the kind is read from its first bytes, never from its name.

    Raises UserError for what is no picture, is damaged or too large, and MemoryError.
    """
    try:
        head = file.read(26)
        if not head:
            raise UserError(f"{name}: is empty; give an image file")
        if head.startswith(MAGICS):
            return raster(file, name, limits, "TIFF")
        size = file.seek(0, io.SEEK_END)
        if size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES:,}"
            raise UserError(f"{name}: {size:,} bytes are more than {limit}; make it smaller or a GeoTIFF")
        file.seek(0)
        picture = plain(file, head, name, limits)
        if picture.format == "PNG":
            # Pillow would keep only the upper byte of 16-bit colour, and has to hold the whole of a picture.
            large = picture.width * picture.height > WORKING_PIXELS
            if head[24] == 16 and (large or picture.mode not in ("I;16", "I")):
                return raster(file, name, limits, "PNG")
            if large:
                return raster(file, name, limits, "PNG lines")
        return finish(picture, name, limits, ours=True)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise UserError(damaged(name, error)) from error
