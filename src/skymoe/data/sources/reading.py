"""Reading the files of a data set, with errors of one line that name the data set and the file."""

from __future__ import annotations

import json
import warnings
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging.tiff_tags import MAGICS, TiffTags

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
"""Whose heads Pillow may read, of files that anybody may have written; it knows forty more."""
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)


class PictureError(UserError):
    """A picture that is missing or has a damaged head; `reason` is the short form for a quarantine."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def picture_size(path: Path, source: str) -> tuple[int, int]:
    """Width and height, upright, from the head of a picture file of a data set, however large it is.

    Raises PictureError (a UserError) when it is missing or its head is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size and damage of a file are judged by what is returned
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                lying = picture.format == "JPEG" and picture.getexif().get(_ORIENTATION) in _LYING
                return (height, width) if lying else (width, height)
    except FileNotFoundError as error:
        raise PictureError(
            f"{source}: picture {path} is missing; get the data set again", f"picture {path.name} is missing"
        ) from error
    except (PermissionError, IsADirectoryError) as error:
        raise PictureError(
            f"{source}: picture {path} can't be read ({error.strerror}); make it readable",
            f"picture {path.name} can't be read",
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything at a damaged head
        try:
            size = _raster_size(path)
        except OSError:  # the disk itself
            size = None
        if size is not None:
            return size
        raise PictureError(
            f"{source}: picture {path} is damaged; get the data set again", f"picture {path.name} is damaged"
        ) from error


def _raster_size(path: Path) -> tuple[int, int] | None:
    """The upright size in the head of a TIFF or PNG that Pillow finds too large or whose bands it does not know."""
    with path.open("rb") as file:
        head = file.read(33)
        if (
            head.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
            and zlib.crc32(head[12:29]).to_bytes(4) == head[29:]
        ):
            return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
        if not head.startswith(MAGICS):
            return None
        try:
            tags = TiffTags(file, path.stat().st_size, str(path), size_only=True)
        except UserError:
            return None
    if not tags.width or not tags.height:
        return None
    return (tags.height, tags.width) if tags.orientation in _LYING else (tags.width, tags.height)


def read_json(path: Path, source: str) -> Any:
    """The content of a data set's JSON file; UserError when it is truncated, no JSON, or nested without end."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{source}: {path} can't be read ({reason}); get the data set again") from error


def read_lines(path: Path, source: str) -> list[str]:
    """The lines of a data set's text file that are not blank, stripped; UserError when it is missing or no
    text."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: {path} can't be read as text; get the data set again") from error
    return [line.strip() for line in lines if line.strip()]


def malformed(path: Path, what: str, source: str) -> UserError:
    """The error for a file that can be read but does not hold what it should."""
    return UserError(f"{source}: {path}: {what}; this is not the official format, get the data set again")
