"""Small files that claim to be large: what they take of memory and time."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tomllib
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.pictures import open_picture, open_picture_apart

from . import pngs, tiffs

# The peaks of this process and of its workers, above what they took before the picture.
CODE = """
import json, pathlib, resource, subprocess, sys, time
from skymoe.pictures import open_picture, open_picture_apart
def peak(pid):
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmHWM")) // 1024
def opened(content):
    return open_picture(content, pixels=40_000_000) if sys.argv[1] == "here" else open_picture_apart(
        content, seconds=60, memory=1 << 30)
opened(pathlib.Path(sys.argv[2]).read_bytes())
content = pathlib.Path(sys.argv[3]).read_bytes()
pids = ["self", *subprocess.run(["pgrep", "-f", "-P", str(__import__("os").getpid()), "imaging.worker"],
                                capture_output=True, text=True).stdout.split()]
before = sum(map(peak, pids))
try:
    picture = opened(content)
    said = [*picture.size, *picture.info["file_size"]]
except ValueError as error:
    said = str(error)
print(json.dumps([sum(map(peak, pids)) - before, said]))
"""


def measured(where: str, content: bytes, folder: Path) -> tuple[int, list[int] | str]:
    """MB that the picture took, at their peak, and its size and its file's, or the line that refuses it."""
    (folder / "small").write_bytes(tiffs.tiff(tiffs.picture(40, 30)))
    (folder / "bomb").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", CODE, where, "small", "bomb"],
        cwd=folder, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    taken, said = json.loads(done.stdout)
    return taken, said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("where", ["here", "apart"])
def test_clear_pixels_by_the_million_take_no_gigabyte(where: str, tmp_path: Path) -> None:
    content = pngs.png(9_000, 9_000, colour=6, depth=8)
    assert len(content) < 400_000
    taken, said = measured(where, content, tmp_path)
    assert said == [4500, 4500, 9_000, 9_000]
    assert taken < 600


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_jpeg_of_as_many_is_decoded_reduced(tmp_path: Path) -> None:
    Image.new("L", (13_000, 13_000), 40).save(file := io.BytesIO(), "JPEG", quality=30)
    taken, said = measured("here", file.getvalue(), tmp_path)
    assert said == [6324, 6324, 13_000, 13_000]
    assert taken < 600


def test_a_sparse_tiff_that_claims_twenty_milliards_is_refused_at_once() -> None:
    content = tiffs.tiff(tiffs.picture(140_000, 140_000, rows=280))
    assert len(content) < 5_000
    for opener in (open_picture, lambda data: open_picture_apart(data, seconds=5, memory=1 << 30)):
        with pytest.raises(
            UserError, match="claims 140000×140000 pixels in 4,140 bytes, more than can be in them"
        ):
            opener(content)


def test_a_tiff_of_a_few_bytes_is_no_gigabyte() -> None:
    whole = tiffs.tiff(tiffs.picture(19_000, 18_000, rows=18_000))
    assert len(whole) < 182
    with pytest.raises(UserError, match="claims 19000×18000 pixels in 140 bytes, more than can be in them"):
        open_picture_apart(whole, seconds=20, memory=1 << 30)


def test_an_empty_tiff_of_ordinary_size_is_a_black_picture() -> None:
    picture = open_picture(tiffs.tiff(tiffs.picture(2_000, 2_000)))
    assert picture.size == (2_000, 2_000)
    assert picture.getextrema() == ((0, 0),) * 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("mode", ["1", "P"])
def test_a_bmp_of_one_band_is_not_made_rgb_before_it_is_small(mode: str, tmp_path: Path) -> None:
    picture = Image.new(mode, (12_000, 12_000), 1)
    if mode == "P":
        picture.putpalette([90, 80, 70, 200, 100, 50])
    picture.save(file := io.BytesIO(), "BMP")
    taken, said = measured("here", file.getvalue(), tmp_path)
    assert said == [6324, 6324, 12_000, 12_000]
    assert taken < len(file.getvalue()) // 1_000_000 + 580


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
def test_exif_tags_that_overlap_take_no_more_than_the_file_has() -> None:
    length, tags = 60_000, 1_000
    exif = struct.pack("<2sHIH", b"II", 42, 8, tags)
    exif += b"".join(struct.pack("<HHII", 1000 + tag, 7, length - 8, 8) for tag in range(tags)) + b"\0" * 4
    Image.new("RGB", (64, 48)).save(
        file := io.BytesIO(), "JPEG", exif=b"Exif\0\0" + exif.ljust(length, b"\0")
    )
    content = file.getvalue()
    open_picture(content)
    tracemalloc.start()
    assert open_picture(content).size == (64, 48)
    assert tracemalloc.get_traced_memory()[1] < 10 * length
    tracemalloc.stop()


def test_no_release_of_pillow_is_allowed_that_reads_more_exif_than_there_is() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    (pillow,) = (line for line in project["project"]["dependencies"] if line.startswith("pillow"))
    assert pillow == "pillow>=13.0"
