"""TIFFs written tag by tag: sparse, hostile, of any size, in a few hundred bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SHORT, LONG, ASCII = 3, 4, 2
Tag = tuple[int, int, bytes, int]
"""Number, type, bytes and count."""


def shorts(*values: int) -> tuple[int, bytes, int]:
    return SHORT, struct.pack(f"<{len(values)}H", *values), len(values)


def longs(*values: int) -> tuple[int, bytes, int]:
    return LONG, struct.pack(f"<{len(values)}I", *values), len(values)


def text(value: str) -> tuple[int, bytes, int]:
    raw = value.encode() + b"\0"
    return ASCII, raw, len(raw)


def tiff(*directories: dict[int, tuple[int, bytes, int]], data: bytes = b"") -> bytes:
    """`data` lies at offset 8, the directories behind it, each pointing to the next."""
    content = struct.pack("<2sHI", b"II", 42, 0) + data
    place_of_pointer = 4
    for directory in directories:
        content += b"\0" * (len(content) % 2)
        content = _pointed(content, place_of_pointer, len(content))
        rest_at = len(content) + 2 + 12 * len(directory) + 4
        place_of_pointer = rest_at - 4
        entries, rest = b"", b""
        for number, (kind, raw, count) in sorted(directory.items()):
            if len(raw) > 4:
                value = struct.pack("<I", rest_at + len(rest))
                rest += raw + b"\0" * (len(raw) % 2)
            else:
                value = raw.ljust(4, b"\0")
            entries += struct.pack("<HHI", number, kind, count) + value
        content += struct.pack("<H", len(directory)) + entries + struct.pack("<I", 0) + rest
    return content


def _pointed(content: bytes, place: int, target: int) -> bytes:
    return content[:place] + struct.pack("<I", target) + content[place + 4 :]


def picture(
    width: int, height: int, *, notes: str = "", rows: int = 1 << 8, bands: int = 3, offsets: Sequence[int] = (0,),
    counts: Sequence[int] = (0,), compression: int = 1,
) -> dict[int, tuple[int, bytes, int]]:  # fmt: skip
    """An 8-bit picture in strips of `rows`, which hold nothing unless `offsets` and `counts` say where they lie."""
    strips = -(-height // rows)
    tags = {
        256: longs(width), 257: longs(height), 258: shorts(*[8] * bands), 259: shorts(compression),
        262: shorts(2 if bands >= 3 else 1), 277: shorts(bands), 278: longs(rows), 284: shorts(1),
        273: longs(*(list(offsets) if len(offsets) == strips else [0] * strips)),
        279: longs(*(list(counts) if len(counts) == strips else [0] * strips)),
    }  # fmt: skip
    if notes:
        tags[42112] = text(notes)
    return tags


def naming(target: str, name: str = "OVERVIEW_FILE", domain: str = "OVERVIEWS") -> str:
    """GDAL's notes that name another data set."""
    escaped = target.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<GDALMetadata><Item name="{name}" domain="{domain}">{escaped}</Item></GDALMetadata>'
