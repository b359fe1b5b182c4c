"""What the tags of a hostile TIFF may take, before GDAL sees any of it."""

from __future__ import annotations

import io
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from skymoe.data.sources.reading import picture_size
from skymoe.errors import UserError
from skymoe.imaging import tiff_tags
from skymoe.imaging.tiff_tags import TiffTags

from . import tiffs

ENTRY = struct.Struct("<HHII")
NOTES = 1 << 20


def overlapping(number: int) -> bytes:
    """One directory, whose `number` lists of notes of 1 MB each are nearly the same bytes. Pillow knows no 7 bands."""
    entries = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (277, 3, 1, 7)]
    start = 16 + (number + 8) * ENTRY.size
    entries += [(42112, 2, NOTES, start + place) for place in range(number)]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(
        ENTRY.pack(*entry) for entry in entries
    )
    return (head + b"\0" * 4).ljust(start + NOTES + number, b"\0")


def test_the_size_of_a_picture_takes_no_notes(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(overlapping(100))
    picture_size_of_another(tmp_path)
    tracemalloc.start()
    size_or_line(tmp_path / "x.tif")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def picture_size_of_another(folder: Path) -> None:
    """So that what is only loaded once is not measured."""
    (folder / "y.tif").write_bytes(tiffs.tiff(tiffs.picture(40_000, 30_000, bands=7)))
    assert picture_size(folder / "y.tif", "here") == (40_000, 30_000)


def size_or_line(path: Path) -> None:
    with suppress(UserError):
        assert picture_size(path, "here") == (64, 48)


def test_notes_twice_in_a_directory_are_refused() -> None:
    content = overlapping(2)
    with pytest.raises(UserError, match="GDAL_METADATA twice in one directory"):
        TiffTags(io.BytesIO(content), len(content), "x")


def test_notes_are_counted_over_all_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [tiffs.picture(40, 30, notes=tiffs.naming("x" * 1000)) for _ in range(5)]
    content = tiffs.tiff(*pages)
    assert len(TiffTags(io.BytesIO(content), len(content), "x").patches) == 5
    monkeypatch.setattr(tiff_tags, "MAX_NOTES", 5000)
    with pytest.raises(UserError, match="x: has more than 5,000 bytes of GDAL_METADATA; remove them"):
        TiffTags(io.BytesIO(content), len(content), "x")


@pytest.mark.parametrize("pages", [1, 3])
def test_directories_that_one_names_are_counted_and_none_is_left_out(
    pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_tags, "MAX_DIRECTORIES", 8 * pages)
    sub = {**tiffs.picture(40, 30), 330: tiffs.longs(*[7] * 9)}
    content = tiffs.tiff(*[sub] * pages)
    with pytest.raises(UserError, match="names more than"):
        TiffTags(io.BytesIO(content), len(content), "x")


def test_only_the_first_page_is_read_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_tags, "MAX_DIRECTORIES", 2)
    turned = {**tiffs.picture(40, 30, notes=tiffs.naming("x" * 100)), 274: tiffs.shorts(6)}
    content = tiffs.tiff(turned, *[tiffs.picture(20, 15)] * 5)
    tags = TiffTags(io.BytesIO(content), len(content), "x", size_only=True)
    assert (tags.width, tags.height, tags.orientation, tags.patches) == (40, 30, 6, {})


def test_lists_that_lie_over_each_other_are_refused() -> None:
    length, tags = 60_000, 100
    entries = [(256, 4, 1, 64), (257, 4, 1, 48), *((1000 + tag, 7, length - 8, 8) for tag in range(tags))]
    content = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(
        ENTRY.pack(*one) for one in entries
    )
    content = content.ljust(length, b"\0")
    with pytest.raises(UserError, match=r"it is damaged \(its tags lie over each other\)"):
        TiffTags(io.BytesIO(content), length, "x")
    assert TiffTags(io.BytesIO(content), length, "x", size_only=True).width == 64
