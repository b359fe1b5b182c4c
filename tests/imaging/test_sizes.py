"""Pictures larger than needed are reduced while they are read; what is read in pieces is what is read as a whole."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skymoe.engine import opened as engine_opened
from skymoe.errors import UserError
from skymoe.imaging import kinds, limits, plain, stretching
from skymoe.imaging.stretching import stretch
from skymoe.pictures import open_picture, open_picture_apart
from skymoe.rasters import read_raster

from . import pngs, tiffs

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (30, 50, 210)


def quarters(width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height))
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def scene(mode: str, size: tuple[int, int] = (130, 91)) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    picture = Image.fromarray(noise, "RGBA")
    if mode == "P":
        return picture.convert("RGB").quantize(9)
    if mode == "LA":
        return picture.convert("LA")
    return picture if mode == "RGBA" else picture.convert("RGB").convert(mode)


def png(picture: Image.Image, **rest: Any) -> bytes:
    picture.save(file := io.BytesIO(), "PNG", **rest)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("turned", [1, 6])
def test_a_png_read_by_lines_is_the_png_read_as_a_whole(mode: str, clear: bool, turned: int) -> None:
    picture = scene(mode)
    rest: dict[str, Any] = {"exif": (exif := Image.Exif())}
    exif[274] = turned
    if clear and mode in ("L", "P", "RGB"):
        rest["transparency"] = picture.getpixel((3, 3))
    content = png(picture, **rest)
    lines = read_raster(content, "x", "PNG lines")
    expected = open_picture(content)
    assert lines.size == expected.size
    assert lines.tobytes() == expected.tobytes()
    assert lines.info == expected.info


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_spread_over_the_whole_scale_by_lines_too(bits: int) -> None:
    content = png(scene("L").quantize(2**bits), bits=bits)
    assert read_raster(content, "x", "PNG lines").tobytes() == open_picture(content).tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
@pytest.mark.parametrize("turned", [1, 8])
def test_larger_ones_are_averaged_and_say_how_large_they_were(
    kind: str, turned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "WORKING_PIXELS", 10_000)  # so that the PNG is read by lines
    rest: dict[str, Any] = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    if kind in ("JPEG", "PNG", "WEBP"):
        rest["exif"] = exif = Image.Exif()
        exif[274] = turned
    quarters(400, 300).save(file := io.BytesIO(), kind, **rest)
    full = open_picture(file.getvalue())
    small = open_picture(file.getvalue(), pixels=10_000)
    assert small.info["file_size"] == full.size == full.info["file_size"]
    assert 2_000 < small.width * small.height <= 10_000
    for x in (0.2, 0.8):
        for y in (0.2, 0.8):
            there = (int(x * small.width), int(y * small.height))
            colour = full.getpixel((int(x * full.width), int(y * full.height)))
            assert np.abs(np.subtract(small.getpixel(there), colour)).max() <= 8


def test_ordinary_pictures_are_the_same_to_the_bit(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"):
        scene("RGB").save(tmp_path / "x", kind)
        needed, full = open_picture(tmp_path / "x", pixels=130 * 91), open_picture(tmp_path / "x")
        assert needed.tobytes() == full.tobytes()
        assert needed.size == (130, 91)


def test_the_engine_takes_what_a_model_needs_and_boxes_stay_the_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_opened, "WORKING_PIXELS", 5_000)
    content = png(scene("RGB"))
    one = engine_opened.opened(content)
    assert one.size == (130, 91)
    assert one.picture.width * one.picture.height <= 5_000
    given = engine_opened.opened(Image.open(io.BytesIO(content)))
    assert given.size == given.picture.size == (130, 91)
    apart = engine_opened.opened_apart(content, seconds=60, memory=1 << 30)
    assert (apart.size, apart.picture.size) == ((130, 91), (130, 91))


@pytest.mark.parametrize(
    ("kind", "rest"), [("WEBP", {}), ("GIF", {}), ("JPEG", {"progressive": True}), ("JPEG", {})]
)
def test_what_must_be_decoded_whole_has_a_lower_limit(
    kind: str, rest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_WHOLE_PIXELS", 10_000)
    scene("RGB").save(file := io.BytesIO(), kind, **rest)
    if kind == "JPEG" and not rest:
        assert open_picture(file.getvalue()).size == (130, 91)
    else:
        with pytest.raises(UserError, match="130×91 pixels are more than 10,000; make it smaller"):
            open_picture(file.getvalue())


def test_large_pictures_of_ours_are_not_copied_and_still_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[274] = 6
    scene("RGB").save(file := io.BytesIO(), "JPEG", exif=exif)
    expected = open_picture(file.getvalue())
    monkeypatch.setattr(plain, "MAX_WHOLE_PIXELS", 1000)
    picture = open_picture(file.getvalue())
    assert picture.tobytes() == expected.tobytes()
    assert picture.info == expected.info == {"file_size": (91, 130)}


def plainly(bands: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """`stretch` in one piece."""
    values = bands.astype(np.float32)
    seen = values[valid]
    low, high = np.percentile(seen[:: max(1, seen.size // 1_000_000)], (2, 98))
    scaled = (values - low) * (255.0 / (high - low))
    return np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0) + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_stretching_in_pieces_is_stretching_at_once(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretching, "CHUNK", 7 * 1500)
    chance = np.random.default_rng(3)
    bands = (chance.normal(size=(3, 1000, 1500)) * 900 + 3000).astype(dtype)
    if dtype.startswith("float"):
        bands[0, :50] = np.nan
        bands[1, 3, 3], bands[1, 3, 4] = np.inf, -np.inf
    valid = np.isfinite(bands) & (chance.random(bands.shape) > 0.3)
    assert (stretch(bands, valid) == plainly(bands, valid)).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_no_side_is_longer_than_a_model_could_use(kind: str, turned: bool) -> None:
    size = (400_000, 1) if turned else (1, 400_000)
    content = tiffs.tiff(tiffs.picture(*size, rows=1 << 16)) if kind == "TIFF" else pngs.png(*size, 0, 8)
    expected = (limits.WORKING_SIDE, 1) if turned else (1, limits.WORKING_SIDE)
    for picture in (
        open_picture(content, pixels=limits.WORKING_PIXELS),
        open_picture_apart(content, seconds=60, memory=1 << 30),
    ):
        assert picture.size == expected
        assert picture.info["file_size"] == size


def test_what_is_a_million_pixels_long_is_refused() -> None:
    for size in ((1, 1_000_001), (1_000_001, 1)):
        with pytest.raises(UserError, match=r"a side of .* pixels is more than 1,000,000; cut it up"):
            open_picture_apart(pngs.png(*size, 0, 1), seconds=60, memory=1 << 30)


def test_a_decoder_is_believed_no_more_pixels_than_were_asked_for() -> None:
    asked = limits.Limits(pixels=10_000)
    assert asked.admits(100, 100)
    assert asked.admits(101, 100)  # 200×199 by two, rounded up
    assert not asked.admits(100, 103)
    assert not asked.admits(1, 100_000)
    assert not asked.admits(0, 5)
    assert limits.Limits(most_pixels=100_000).admits(1, 100_000)
    assert not limits.Limits(most_pixels=100_000).admits(1, 100_001)


def test_naming_a_picture_takes_no_copy_of_it() -> None:
    picture = scene("RGB", (2600, 1820))
    whole = hashlib.blake2b(repr(picture.size).encode(), digest_size=16)
    whole.update(picture.tobytes())
    tracemalloc.start()
    assert engine_opened._named(picture, (1, 1)).name == whole.digest()
    assert tracemalloc.get_traced_memory()[1] < 3 * 2600 * 1820
    tracemalloc.stop()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "RGB", "I;16"])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("size", [(300, 700), (701, 299)])
def test_averaging_one_band_is_averaging_three(mode: str, size: tuple[int, int], clear: bool) -> None:
    picture = noise(*size, "L" if mode == "I;16" else "RGB" if mode in ("P", "LA", "RGBA") else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 3)
    if mode in ("LA", "RGBA"):
        picture = picture.convert(mode)
        picture.putalpha(noise(*size, "L"))
    if mode == "P":
        picture = picture.quantize(200) if size[0] == 300 else picture.convert("P")
    needed = (size[0] * 10 // 23, size[1] * 10 // 23)
    if mode == "P" and clear:
        picture.info["transparency"] = 3
    expected = plain.to_rgb(picture).resize(needed, Image.Resampling.BOX)
    assert plain._reduced(picture, needed).tobytes() == expected.tobytes()
