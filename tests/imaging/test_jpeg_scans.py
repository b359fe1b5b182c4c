"""JPEGs whose few bytes are much work: stored colour by colour, or in very many passes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging import jpeg_scans, limits
from skymoe.pictures import open_picture


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body


def by_colour(width: int, height: int) -> bytes:
    """Grey, its three colours in a scan each, between notes that look like scans."""
    shape = struct.pack(">BHHB", 8, height, width, 3) + b"".join(
        bytes([colour, 0x11, 0]) for colour in (1, 2, 3)
    )
    content = b"\xff\xd8" + segment(0xE5, b"\xff\xda\0\x08\3" * 200) + segment(0xDB, b"\0" + b"\1" * 64)
    content += (
        segment(0xC0, shape) + segment(0xC4, b"\0\1" + b"\0" * 16) + segment(0xC4, b"\x10\1" + b"\0" * 16)
    )
    blocks = -(-width // 8) * -(-height // 8)
    for colour in (1, 2, 3):
        content += segment(0xDA, bytes([1, colour, 0, 0, 63, 0])) + b"\0" * (blocks * 2 // 8 + 1)
    return content + b"\xff\xd9"


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def jpeg(picture: Image.Image, **rest: object) -> bytes:
    picture.save(file := io.BytesIO(), "JPEG", **rest)
    return file.getvalue()


def test_a_jpeg_stored_by_colour_must_be_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    content = by_colour(320, 200)
    assert open_picture(content).getextrema() == ((128, 128),) * 3
    monkeypatch.setattr(limits, "MAX_WHOLE_PIXELS", 10_000)
    with pytest.raises(UserError, match="320×200 pixels are more than 10,000; make it smaller"):
        open_picture(content, pixels=10_000)
    assert open_picture(jpeg(noise(320, 200)), pixels=10_000).info["file_size"] == (320, 200)


def test_a_jpeg_of_very_many_passes_is_refused_and_ordinary_ones_are_not() -> None:
    content = jpeg(noise(320, 200), progressive=True)
    assert open_picture(content).size == (320, 200)
    last = content.rindex(b"\xff\xda")
    scans = content[:last] + (content[last:-2] * 101) + b"\xff\xd9"
    with pytest.raises(
        UserError, match="the given bytes: is stored in more than 100 passes or 50,000 pieces; save it anew"
    ):
        open_picture(scans)


def test_a_jpeg_of_very_many_notes_is_refused() -> None:
    content = jpeg(noise(32, 20), progressive=True)
    last = content.rindex(b"\xff\xda")
    notes = content[:last] + segment(0xFE, b"") * (jpeg_scans.MAX_SEGMENTS + 1) + content[last:]
    with pytest.raises(UserError, match="passes or 50,000 pieces; save it anew"):
        open_picture(notes)


@pytest.mark.parametrize("chunk", [64, 65, 1000])
def test_no_scan_is_overlooked_at_the_end_of_a_chunk(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_scans, "_CHUNK", chunk)
    content = jpeg(noise(320, 200), progressive=True)
    thumbnail = segment(0xE1, content[:60_000])
    pictures = (
        content[:2] + thumbnail + content[2:] + content
    )  # as cameras store a second one behind the first
    found = [marker for marker, _ in jpeg_scans._segments(io.BytesIO(pictures))]
    assert found.count(0xDA) == 10
    assert not jpeg_scans.in_pieces(io.BytesIO(jpeg(noise(32, 20), exif=content[:60_000])))
