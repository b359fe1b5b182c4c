"""A TIFF's own lists of tags, read before GDAL sees the file.

GDAL keeps notes of its own in tag 42112 (`GDAL_METADATA`, XML). One of them, `OVERVIEW_FILE`, names another data
set, which GDAL then opens: a file on this computer, an address, or the description of either. For a picture
only one kind of note matters, which bands are red, green and blue. So the tag is read as if it held nothing else.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from skymoe.errors import UserError

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_DIRECTORIES = 20_000
MAX_ENTRIES = 1_000_000
MAX_NOTES = 1 << 24
"""Bytes of GDAL's notes in all directories: more would have to be held at once to be replaced."""

_WIDTH, _HEIGHT, _ORIENTATION, _SUB_DIRECTORIES, _NOTES = 256, 257, 274, 330, 42112
_OF_SIZE = (_WIDTH, _HEIGHT, _ORIENTATION)
_WIDTHS = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""Bytes of one value of each of TIFF's and BigTIFF's types."""
_ROLE = re.compile(rb'<Item name="COLORINTERP" sample="[0-9]{1,4}" role="colorinterp">[A-Za-z]{1,20}</Item>')


class TiffTags:
    """The tags of all directories of a TIFF of `size` bytes.

    `width` and `height` (as stored; 0: not told) and `orientation`, 1 to 8, are the first directory's; `patches` are
    the bytes to be read instead of the file's, by their offset. A list that is cut short ends there: GDAL says
    what it thinks of it. `size_only`: nothing but the first directory is read, and of it no notes.

    Raises UserError for more directories, entries or notes than any sound file has, and for notes that lie over a
    directory.
    """

    def __init__(self, file: BinaryIO, size: int, name: str, *, size_only: bool = False) -> None:
        self._file, self._size, self._name, self._size_only = file, size, name, size_only
        self._noted = self._sub_directories = 0
        self.width = self.height = 0
        self.orientation = 1
        self.patches: dict[int, bytes] = {}
        header = self._at(0, 16)
        self._order = "<" if header[:2] == b"II" else ">"
        self._big = 43 in header[2:4]
        self._offset = np.dtype(self._order + ("u8" if self._big else "u4"))
        self._ahead = [self._number(header[8:16] if self._big else header[4:8], self._offset)]
        self._taken = [(0, 16 if self._big else 8)]
        self._walk()
        self._check_apart()

    def _walk(self) -> None:
        counted = np.dtype(self._order + ("u8" if self._big else "u2"))
        width = self._offset.itemsize
        entry = np.dtype(
            [
                ("tag", self._order + "u2"),
                ("type", self._order + "u2"),
                ("count", self._offset),
                ("value", f"V{width}"),
            ]
        )
        seen: set[int] = set()
        entries = 0
        while self._ahead:
            start = self._ahead.pop()
            if start in seen or not 0 < start <= self._size - counted.itemsize:
                continue
            seen.add(start)
            number = self._number(self._at(start, counted.itemsize), counted)
            entries += number
            if len(seen) > MAX_DIRECTORIES or entries > MAX_ENTRIES:
                raise UserError(
                    f"{self._name}: has more than {MAX_DIRECTORIES:,} directories or {MAX_ENTRIES:,} tags; "
                    "save its first page by itself"
                )
            length = number * entry.itemsize
            listing = self._at(start + counted.itemsize, length + width)
            self._taken.append((start, start + counted.itemsize + length + width))
            if len(listing) == length + width:
                self._ahead.append(self._number(listing[length:], self._offset))
            rows = np.frombuffer(listing[: len(listing) // entry.itemsize * entry.itemsize], entry)[:number]
            if np.count_nonzero(rows["tag"] == _NOTES) > 1:
                raise UserError(
                    f"{self._name}: cannot be read as an image, it is damaged (GDAL_METADATA twice in one directory)"
                )
            if not self._size_only:
                self._check_lists(rows)
            read = _OF_SIZE if self._size_only else (*_OF_SIZE, _SUB_DIRECTORIES, _NOTES)
            for row in rows[np.isin(rows["tag"], read)]:
                self._read(row, first=len(seen) == 1)
            if self._size_only:
                return

    def _check_lists(self, rows: NDArray[Any]) -> None:
        """Lists of one directory that are longer than the file lie over each other; GDAL would keep them all."""
        widths = np.array([_WIDTHS.get(kind, 0) for kind in range(20)], np.float64)
        lengths = rows["count"] * widths[np.minimum(rows["type"], 19)]
        ends = lengths + np.frombuffer(rows["value"].tobytes(), self._offset)
        apart = (lengths > self._offset.itemsize) & (ends <= self._size)  # what is cut short is not kept
        if lengths[apart].sum() > self._size:
            raise UserError(
                f"{self._name}: cannot be read as an image, it is damaged (its tags lie over each other)"
            )

    def _read(self, row: Any, first: bool) -> None:
        tag, kind, count = int(row["tag"]), int(row["type"]), int(row["count"])
        value = row["value"].tobytes()
        length = count * _WIDTHS.get(kind, 0)
        inline, where = length <= len(value), self._number(value, self._offset)
        if tag in _OF_SIZE:
            if first and kind in (3, 4, 16) and count == 1:
                number = self._number(value, np.dtype(f"{self._order}u{_WIDTHS[kind]}"))
                setattr(self, {_WIDTH: "width", _HEIGHT: "height", _ORIENTATION: "orientation"}[tag], number)
        elif tag == _SUB_DIRECTORIES:
            if kind in (4, 13, 16, 18):
                self._sub_directories += count
                if self._sub_directories > MAX_DIRECTORIES:
                    raise UserError(
                        f"{self._name}: names more than {MAX_DIRECTORIES:,} directories; save its first page by itself"
                    )
                text = value[:length] if inline else self._at(where, length)
                width = _WIDTHS[kind]
                offsets = np.frombuffer(
                    text[: len(text) // width * width], np.dtype(f"{self._order}u{width}")
                )
                self._ahead.extend(offsets.tolist())
        elif not inline and where < self._size:  # what fits into the entry is too short to name anything
            length = min(length, self._size - where)
            self._noted += length
            if self._noted > MAX_NOTES:
                raise UserError(
                    f"{self._name}: has more than {MAX_NOTES:,} bytes of GDAL_METADATA; remove them"
                )
            patch = _only_roles(self._at(where, length))
            self.patches[where] = max(patch, self.patches.get(where, b""), key=len)

    def _check_apart(self) -> None:
        """Notes over a directory, or over each other: replacing them would make another file, unseen by us."""
        spans = [(start, end, False) for start, end in self._taken]
        spans += [(start, start + len(patch), True) for start, patch in self.patches.items()]
        reach, patched = 0, False
        for start, end, is_patch in sorted(spans):
            if start < reach and (is_patch or patched):
                raise UserError(
                    f"{self._name}: cannot be read as an image, it is damaged (its GDAL_METADATA overlaps its tags)"
                )
            if end > reach:
                reach, patched = end, is_patch

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    @staticmethod
    def _number(text: bytes, kind: np.dtype[Any]) -> int:
        return int(np.frombuffer(text, kind, 1)[0]) if len(text) >= kind.itemsize else 0


def _only_roles(notes: bytes) -> bytes:
    """The notes with nothing but the bands' colours, as long as before."""
    roles = b"".join(match.group() for match in _ROLE.finditer(notes))
    kept = b"<GDALMetadata>" + roles + b"</GDALMetadata>" if roles else b""
    if len(kept) >= len(notes):
        kept = b""
    return kept.ljust(len(notes) - 1) + b"\0"
