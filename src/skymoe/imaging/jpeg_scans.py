"""In how many passes a JPEG is stored: each pass over a picture is work for the decoder, however few its bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from skymoe.errors import UserError

MAX_SCANS = 100
"""Encoders make about ten. A file of 230 kB can hold 1,500, each of which goes over all of the picture's pixels."""
MAX_SEGMENTS = 50_000
"""Markers of any kind; 1 GB of notes in the largest pieces that there are has 16,000."""
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers that are followed by no length."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the pixels of a scan; the others may stand among them."""
_CHUNK = 1 << 20


def in_pieces(file: BinaryIO) -> bool:
    """Whether the first scan lacks a colour: then all of the picture is kept until the last one. Keeps the place."""
    place = file.tell()
    try:
        colours = 0
        file.seek(0)
        for marker, body in _segments(file):
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                colours = body[5] if len(body) > 5 else 0
            if marker == _SCAN:
                return bool(body) and body[0] < colours
        return False
    finally:
        file.seek(place)


def check(file: BinaryIO, name: str) -> None:
    """UserError for a JPEG of more scans, or more markers, than any encoder makes. Keeps the place."""
    place, scans = file.tell(), 0
    try:
        file.seek(0)
        for number, (marker, _) in enumerate(_segments(file)):
            scans += marker == _SCAN
            if scans > MAX_SCANS or number > MAX_SEGMENTS:
                raise UserError(
                    f"{name}: is stored in more than {MAX_SCANS} passes or {MAX_SEGMENTS:,} pieces; save it anew"
                )
    finally:
        file.seek(place)


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Markers and what follows each, up to the end of the first picture (cameras store several in one file)."""
    while True:
        marker = _next(file)
        if marker is None or marker == _END:
            return
        if marker in _ALONE:
            continue
        length = int.from_bytes(file.read(2)) - 2
        yield marker, file.read(max(0, length))


def _next(file: BinaryIO) -> int | None:
    """The next marker from here on, the file's place behind it; None: there is none."""
    size = 64  # markers mostly follow each other; what is read in vain grows with what was searched
    while chunk := file.read(size):
        found = _MARKER.search(chunk)
        if found:
            file.seek(found.end() - len(chunk), io.SEEK_CUR)
            return chunk[found.end() - 1]
        if chunk.endswith(b"\xff") and len(chunk) > 1:  # the rest of it is in the next chunk
            file.seek(-1, io.SEEK_CUR)
        size = min(2 * size, _CHUNK)
    return None
