"""A picture ready to be asked about: opened once, named by its pixels."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from skymoe.errors import UserError
from skymoe.pictures import open_picture

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray[Any, Any]


@dataclass(frozen=True)
class Opened:
    """``name`` is a hash of the pixels: the same picture in two files is encoded once.

    ``size`` is the (width, height) that boxes refer to: the picture's, or the file's where it was read reduced.
    """

    picture: Image.Image
    name: bytes
    size: tuple[int, int]


def opened(source: Source | Opened) -> Opened:
    """Open a picture: a path, bytes, a PIL image, or a uint8 array (H, W) or (H, W, 3 or 4).

    Raises:
        UserError: for what is no picture, with the name of the file where there is one.
    """
    if isinstance(source, Opened):
        return source
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or not (
            source.ndim == 2 or (source.ndim == 3 and source.shape[2] in (3, 4))
        ):
            given = f"an array of {source.dtype}, shape {source.shape}, is no picture"
            raise UserError(f"{given}: give uint8 of (height, width) or (height, width, 3 or 4)")
        if not source.size:
            raise UserError(f"an array of shape {source.shape} is no picture: it has no pixels")
        source = Image.fromarray(source)
    picture = open_picture(source)
    digest = hashlib.blake2b(repr(picture.size).encode(), digest_size=16)
    digest.update(picture.tobytes())
    # What a PIL image remembers of its file may be out of date: it can have been cropped since.
    size = picture.size if isinstance(source, Image.Image) else picture.info.get("file_size", picture.size)
    return Opened(picture, digest.digest(), tuple(size))
