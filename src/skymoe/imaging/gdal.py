"""GDAL on a short lead: two drivers, one file, no network. Only the worker (`worker.py`) imports this.

GDAL follows what a file names into other files, and onto the network, with every driver it has. So the process has
no other driver: `GDAL_SKIP` keeps them from being registered, and `confine` looks whether it did. Nothing
but the one file that was given is served, notes that name others are not (`tiff_tags.py`), and side
files (`.aux.xml`, `.ovr`, `.msk` …) are not looked for.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from skymoe.errors import UserError

DRIVERS = ("GTiff", "PNG")
_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_CACHEMAX": 256_000_000,
    "GDAL_HTTP_TIMEOUT": 1,
    "GDAL_HTTP_MAX_RETRY": 0,
}


def confine() -> list[str]:
    """Set GDAL up, for good; the names of drivers that `GDAL_SKIP` left beside `DRIVERS`: none may be."""
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    rasterio.Env(**_OPTIONS).__enter__()
    return left_over()


def left_over() -> list[str]:
    """The drivers that this process should not have."""
    with rasterio.Env() as env:
        return sorted(set(env.drivers()) - set(DRIVERS))


@contextmanager
def opened(file: Served, driver: str, name: str) -> Iterator[Any]:
    """The data set in `file`. GDAL's complaints, then and while it is read, become a UserError."""
    only = f"picture.{driver.lower()}"

    def served(path: str, mode: str = "rb", **_: Any) -> Served:
        if path != only or mode not in ("r", "rb"):
            raise FileNotFoundError(path)
        file.seek(0)
        return file

    assert driver in DRIVERS
    assert not left_over()
    try:
        with rasterio.open(only, driver=driver, opener=served) as raster:
            yield raster
    except RasterioError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        if "memory" in reason.lower():
            raise MemoryError from error
        raise UserError(
            f"{name}: cannot be read as an image, it is damaged or truncated ({reason})"
        ) from error


class Served(io.RawIOBase):
    """The file as GDAL sees it: with other bytes at some offsets, and staying open however often GDAL closes it."""

    def __init__(self, file: BinaryIO, patches: dict[int, bytes]) -> None:
        self._file, self._patches = file, patches

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        start = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for offset, patch in self._patches.items():
            left, right = max(start, offset), min(start + len(data), offset + len(patch))
            if left < right:
                data[left - start : right - start] = patch[left - offset : right - offset]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Left open."""
