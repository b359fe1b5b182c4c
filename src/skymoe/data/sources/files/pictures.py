"""The pictures that annotation files speak of: found by name inside one folder, never outside of it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.reading import PictureError, picture_size
from skymoe.pictures import MAX_PIXELS
from skymoe.rasters import WORKING_PIXELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")
_TIFF = (".tif", ".tiff")
_LITTER = ("Thumbs.db", "desktop.ini")


class Picture(NamedTuple):
    """A picture file and its upright size in pixels."""

    path: Path
    width: int
    height: int


class PictureFolder:
    """The pictures below a folder.

    Names in annotation files are other people's words: one that is absolute, an address, or leads out of the
    folder is refused; so is a link that leads out, unless `follow_links`.
    """

    def __init__(self, folder: Path, follow_links: bool = False) -> None:
        self.folder, self.follow_links = folder, follow_links
        self._listed: dict[Path, dict[str, tuple[str, ...]]] = {}

    def find(self, name: object) -> Picture:
        """The picture of that name; without suffix, or with another one, the only picture of that stem.

        Raises DamagedError with the reason why it can't be used.
        """
        path = self.locate(inside(name, self.folder))
        if not self.follow_links and not path.resolve().is_relative_to(self.folder.resolve()):
            raise DamagedError(
                f"picture {name} is a link out of the image folder (follow_links=True allows it)"
            )
        return measured(path)

    def has(self, name: str) -> bool:
        """Whether there is a file for the name, sound or not."""
        try:
            self.locate(inside(name, self.folder))
        except DamagedError:
            return False
        return True

    def locate(self, name: str) -> Path:
        """The file for a name that is known to lie inside; DamagedError where there is none, or several."""
        path = self.folder / name
        try:
            if path.is_file():
                return path
            stem, suffix = os.path.splitext(path.name)
            stem = stem if suffix.lower() in SUFFIXES else path.name
            if path.parent not in self._listed:
                self._listed[path.parent] = _by_stem(path.parent)
            found = self._listed[path.parent].get(stem, ())
        except (OSError, ValueError) as error:
            raise DamagedError(f"picture {_short(name)} can't be looked for ({_reason(error)})") from error
        if len(found) > 1:
            raise DamagedError(f"picture {name} may be {' or '.join(found)}")
        if not found:
            raise DamagedError(f"picture {_short(name)} is missing")
        return path.parent / found[0]

    def files(self) -> Iterator[tuple[str, str]]:
        """Every file below the folder in the order of names, hidden ones left out, and why it can't be used: ""
        for pictures."""
        yield from self._walk(self.folder, frozenset())

    def _walk(self, folder: Path, above: frozenset[str]) -> Iterator[tuple[str, str]]:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            name = path.relative_to(self.folder).as_posix()
            if entry.name.startswith(".") or entry.name in _LITTER:
                continue
            if not entry.is_dir():
                yield name, "" if _is_picture(entry.name) else "is no picture by its suffix"
            elif entry.is_symlink() and not self.follow_links:
                yield name, "is a link to a folder (follow_links=True follows it)"
            elif (real := os.path.realpath(entry.path)) in above:
                yield name, "is a link to a folder that it lies in"
            else:
                yield from self._walk(path, above | {real})


def inside(name: object, folder: Path) -> str:
    """A name from an annotation file as a path inside `folder`; DamagedError where it is none."""
    if not isinstance(name, str) or not name.strip():
        raise DamagedError("there is no file name")
    plain = name.strip().replace("\\", "/")
    if "://" in plain or "\0" in plain:
        raise DamagedError(f"picture {_short(plain)!r} is no file name")
    for home in (folder.absolute(), folder.resolve()):
        plain = plain.removeprefix(f"{home.as_posix()}/")
    path = posixpath.normpath(plain)
    if path.startswith(("/", "../")) or path in (".", "..") or re.match(r"[A-Za-z]:", path):
        raise DamagedError(f"picture {_short(plain)!r} leads out of the image folder")
    return path


def measured(path: Path) -> Picture:
    """The picture with its size; DamagedError where it is damaged or too large to be a sample."""
    try:
        width, height = picture_size(path, "")
    except PictureError as error:
        raise DamagedError(error.reason) from error
    # Larger TIFFs are opened reduced, where boxes would no longer fit.
    most = WORKING_PIXELS if path.suffix.lower() in _TIFF else MAX_PIXELS
    if width * height > most:
        raise DamagedError(
            f"picture {path.name} has {width:,}×{height:,} px, above {most:,}; cut it into tiles"
        )
    return Picture(path, width, height)


def _by_stem(folder: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        if _is_picture(name):
            stem = os.path.splitext(name)[0]
            found[stem] = (*found.get(stem, ()), name)
    return found


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
