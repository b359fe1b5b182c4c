"""A picture ready to be asked about: opened once, named by its pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from skymoe.errors import UserError
from skymoe.pictures import WORKING_PIXELS, open_picture, open_picture_apart

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray[Any, Any]

_PIXELS = 1 << 20
"""Pixels that are hashed at once: the bytes of all would be as large again as the picture."""


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

    Files of more than `WORKING_PIXELS` are read reduced: no model sees as much, and decoding them takes gigabytes.

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
    picture = open_picture(source, pixels=WORKING_PIXELS)
    # What a PIL image remembers of its file may be out of date: it can have been cropped since.
    return _named(picture, picture.size if isinstance(source, Image.Image) else picture.info["file_size"])


def opened_apart(
    data: bytes, *, seconds: float, memory: int, cancelled: Callable[[], bool] | None = None
) -> Opened:
    """As `opened`, for bytes that a remote caller sent: decoded in another process, within these budgets.

    Raises:
        UserError: for what is no picture, or takes too much time or memory.
        Cancelled: `cancelled` said so; see `skymoe.pictures.open_picture_apart`.
    """
    picture = open_picture_apart(data, seconds=seconds, memory=memory, cancelled=cancelled)
    return _named(picture, picture.info["file_size"])


def _named(picture: Image.Image, size: tuple[int, int]) -> Opened:
    digest = hashlib.blake2b(repr(picture.size).encode(), digest_size=16)
    step = max(1, _PIXELS // picture.width)
    for top in range(0, picture.height, step):
        digest.update(picture.crop((0, top, picture.width, min(picture.height, top + step))).tobytes())
    return Opened(picture, digest.digest(), (size[0], size[1]))
