"""Every readable picture becomes upright 8-bit RGB; everything else becomes one line."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from skymoe import pictures, rasters
from skymoe.errors import UserError
from skymoe.pictures import open_picture, open_sample

RED, GREEN, BLUE = (200, 30, 40), (20, 180, 60), (30, 50, 210)


def quarters(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red top left, green top right, blue bottom left, black bottom right."""
    width, height = size
    picture = Image.new("RGB", size)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def near(
    picture: Image.Image, point: tuple[int, int], colour: tuple[int, int, int], tolerance: int = 12
) -> bool:
    return bool(np.abs(np.subtract(picture.getpixel(point), colour)).max() <= tolerance)


def write_tiff(path: Path, bands: np.ndarray, roles: list[ColorInterp] | None = None, **profile: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2],
            dtype=bands.dtype, **profile,
        ) as raster:  # fmt: skip
            raster.write(bands)
            if roles:
                raster.colorinterp = roles
    return path


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_plain_formats_keep_size_and_colours(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wrong-suffix.xyz"
    quarters().save(path, kind, **({"quality": 95} if kind != "BMP" else {}))
    for source in (path, str(path), path.read_bytes()):
        picture = open_picture(source)
        assert (picture.mode, picture.size, picture.info) == ("RGB", (64, 48), {"file_size": (64, 48)})
        assert near(picture, (10, 10), RED)
        assert near(picture, (50, 10), GREEN)
        assert near(picture, (10, 40), BLUE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "HSV"])
def test_pil_images_of_any_mode_become_rgb_and_stay_untouched(mode: str) -> None:
    base = quarters().convert("RGB")
    given = (
        Image.new(mode, (64, 48))
        if mode == "LAB"
        else base.convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    )
    before = (given.mode, given.tobytes())
    picture = open_picture(given)
    assert picture.mode == "RGB"
    assert picture.size == (64, 48)
    assert picture is not given
    assert (given.mode, given.tobytes()) == before


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_files(tmp_path: Path, mode: str) -> None:
    for kind in ("JPEG", "TIFF"):
        path = tmp_path / f"x.{kind.lower()}"
        quarters().convert(mode).save(path, kind)
        expected = quarters().convert(mode).convert("RGB")
        assert near(open_picture(path), (10, 10), expected.getpixel((10, 10)), 16)


def test_transparent_pixels_become_black(tmp_path: Path) -> None:
    picture = quarters().convert("RGBA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 32, 24))
    alpha.paste(128, (32, 0, 64, 24))
    picture.putalpha(alpha)
    for kind in ("PNG", "TIFF"):
        path = tmp_path / f"alpha.{kind}"
        picture.save(path, kind)
        seen = open_picture(path)
        assert seen.getpixel((10, 10)) == (0, 0, 0)
        assert near(seen, (50, 10), tuple(c // 2 for c in GREEN), 2)
        assert seen.getpixel((10, 40)) == BLUE


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    picture = quarters().quantize(4)
    hidden = picture.getpixel((10, 10))
    for kind in ("PNG", "GIF"):
        path = tmp_path / f"palette.{kind}"
        picture.save(path, kind, transparency=hidden)
        seen = open_picture(path)
        assert seen.getpixel((10, 10)) == (0, 0, 0)
        assert near(seen, (50, 10), GREEN)
    path = tmp_path / "palette.tif"
    picture.save(path)
    assert near(open_picture(path), (10, 10), RED)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_orientation_tag_is_applied(tmp_path: Path, orientation: int, kind: str) -> None:
    from PIL import ImageOps

    tag = Image.Exif()
    tag[274] = orientation
    path = tmp_path / "turned"
    if kind == "TIFF":
        quarters().save(path, kind, tiffinfo={274: orientation})
    else:
        quarters().save(path, kind, exif=tag, quality=95)
    reference = quarters()
    reference.getexif()[274] = orientation
    expected = ImageOps.exif_transpose(reference)
    picture = open_picture(path)
    assert picture.size == expected.size == picture.info["file_size"]
    for x in (5, picture.width - 5):
        for y in (5, picture.height - 5):
            assert near(picture, (x, y), expected.getpixel((x, y)))


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (4000, 20), (20, 4000)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_tiny_and_long_thin(tmp_path: Path, size: tuple[int, int], kind: str) -> None:
    path = tmp_path / "odd"
    Image.new("RGB", size, GREEN).save(path, kind)
    picture = open_picture(path)
    assert picture.size == size
    assert picture.getpixel((size[0] - 1, size[1] - 1)) == GREEN


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 100 * 100).reshape(1, 100, 100).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint16", 300, 2800), ("int16", -500, 500), ("float32", 0.02, 0.4), ("uint32", 10, 90000)],
)
def test_deep_rasters_are_stretched_over_their_valid_values(
    tmp_path: Path, dtype: str, low: float, high: float
) -> None:
    bands = np.repeat(ramp(dtype, low, high), 4, axis=0)
    bands[3] = bands[3].max()  # a bright fourth band must not take part
    nodata = -9999 if dtype in ("int16", "float32") else 65535
    bands[:3, :10] = nodata
    picture = np.asarray(open_picture(write_tiff(tmp_path / "deep.tif", bands, nodata=nodata)))
    assert (picture[:10] == 0).all()
    assert picture[11].max() < 20
    assert picture[99].min() > 235
    assert (np.diff(picture[10:, :, 0].astype(int).ravel()) >= 0).all()


def test_one_stretch_for_all_bands_keeps_colours_in_relation(tmp_path: Path) -> None:
    green_scene = np.concatenate([ramp("uint16", 0, 1000), ramp("uint16", 0, 4000), ramp("uint16", 0, 1000)])
    red, green, blue = np.asarray(open_picture(write_tiff(tmp_path / "g.tif", green_scene)))[60, 50].tolist()
    assert green > 3 * red
    assert abs(red - blue) <= 1


def test_nan_is_black_and_a_flat_raster_is_grey(tmp_path: Path) -> None:
    bands = np.repeat(ramp("float32", 0, 1), 3, axis=0)
    bands[:, :, :50] = np.nan
    assert (np.asarray(open_picture(write_tiff(tmp_path / "nan.tif", bands)))[:, :50] == 0).all()
    flat = np.full((3, 20, 20), 700, np.uint16)
    assert open_picture(write_tiff(tmp_path / "flat.tif", flat)).getpixel((3, 3)) == (128, 128, 128)
    assert (
        open_picture(write_tiff(tmp_path / "void.tif", np.full((3, 9, 9), np.nan, np.float32))).getextrema()
        == ((0, 0),) * 3
    )


def test_eight_bit_values_are_not_stretched_and_nodata_needs_all_bands(tmp_path: Path) -> None:
    bands = np.full((3, 20, 20), 90, np.uint8)
    bands[:, :5] = 255
    bands[0, 10:] = 255
    picture = open_picture(write_tiff(tmp_path / "n.tif", bands, nodata=255))
    assert picture.getpixel((3, 2)) == (0, 0, 0)
    assert picture.getpixel((3, 7)) == (90, 90, 90)
    assert picture.getpixel((3, 15)) == (255, 90, 90)


def test_fourth_band_is_dropped_as_infrared_but_used_as_alpha(tmp_path: Path) -> None:
    bands = np.stack([np.full((16, 16), value, np.uint8) for value in (*RED, 255)])
    bands[3, :8] = 0
    infrared = write_tiff(tmp_path / "nir.tif", bands, photometric="RGB", alpha="NO")
    assert open_picture(infrared).getpixel((3, 3)) == RED
    alpha = write_tiff(
        tmp_path / "alpha.tif", bands,
        [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha],
        photometric="RGB", alpha="YES",
    )  # fmt: skip
    assert open_picture(alpha).getpixel((3, 3)) == (0, 0, 0)
    assert open_picture(alpha).getpixel((3, 12)) == RED


def test_bands_are_found_by_their_tags_and_two_bands_are_grey(tmp_path: Path) -> None:
    bands = np.stack([np.full((16, 16), value, np.uint8) for value in (7, *RED[::-1])])
    tagged = [ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    assert open_picture(write_tiff(tmp_path / "bgr.tif", bands, tagged)).getpixel((1, 1)) == RED
    assert open_picture(write_tiff(tmp_path / "two.tif", bands[:2])).getpixel((1, 1)) == (7, 7, 7)
    assert (
        open_picture(write_tiff(tmp_path / "many.tif", bands[[1, 2, 3, 0, 0, 0]])).getpixel((1, 1))
        == RED[::-1]
    )


def test_sixteen_bit_png_uses_all_its_depth(tmp_path: Path) -> None:
    grey = Image.fromarray(ramp("uint16", 1000, 1200)[0])
    grey.save(tmp_path / "grey.png")
    assert np.asarray(open_picture(tmp_path / "grey.png")).std() > 60
    # Pillow writes no 16-bit colour; GDAL does.
    bands = np.repeat(ramp("uint16", 1000, 1200), 3, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.MemoryFile() as memory:
            with memory.open(driver="PNG", count=3, height=100, width=100, dtype="uint16") as raster:
                raster.write(bands)
            content = memory.read()
    assert content[24] == 16
    assert np.asarray(open_picture(content)).std() > 60


def test_one_bit_tiff_is_black_and_white(tmp_path: Path) -> None:
    quarters().convert("L").point(lambda v: 255 if v > 60 else 0).convert("1").save(tmp_path / "bits.tif")
    assert set(np.unique(np.asarray(open_picture(tmp_path / "bits.tif")))) == {0, 255}


def test_huge_rasters_are_read_reduced_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "WORKING_PIXELS", 10_000)
    bands = np.full((3, 300, 400), 100, np.uint8)
    bands[:, :150, 200:] = 200
    picture = open_picture(write_tiff(tmp_path / "big.tif", bands, tiled=True, blockxsize=64, blockysize=64))
    assert picture.size == (115, 86)
    assert picture.info["file_size"] == (400, 300)
    assert picture.getpixel((90, 20)) == (200, 200, 200)
    assert picture.getpixel((20, 20)) == (100, 100, 100)
    monkeypatch.setattr(rasters, "MAX_RASTER_PIXELS", 100_000)
    with pytest.raises(UserError, match="400×300 pixels are more than 100,000; cut a window"):
        open_picture(tmp_path / "big.tif")


def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(UserError, match=r"bomb\.png: 60000×60000 pixels are more than 250,000,000"):
        open_picture(tmp_path / "bomb.png")
    with pytest.raises(UserError, match="64×48 pixels are more than 1,000"):
        open_picture(quarters(), max_pixels=1000)


def test_blocks_too_large_to_decode_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "MAX_BLOCK_BYTES", 100_000)
    path = tmp_path / "tile.tif"
    tile = np.zeros((3, 256, 256), np.uint8)
    write_tiff(path, tile, tiled=True, blockxsize=256, blockysize=256, interleave="pixel")
    with pytest.raises(UserError, match="blocks of 256×256 pixels, too large to decode"):
        open_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_truncated_files_are_one_line(tmp_path: Path, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8))
    whole = io.BytesIO()
    noise.save(whole, kind)
    content = whole.getvalue()
    for share in (0.0, 0.01, 0.3, 0.9):
        cut = content[: int(len(content) * share)]
        (tmp_path / "cut").write_bytes(cut)
        with pytest.raises(UserError) as caught:
            open_picture(tmp_path / "cut")
        assert "\n" not in str(caught.value)
        assert "cut" in str(caught.value)
        with pytest.raises(UserError, match="the given bytes"):
            open_picture(cut)


def test_bytes_changed_at_random_give_a_picture_or_one_line(tmp_path: Path) -> None:
    chance = np.random.default_rng(7)
    for kind in ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"):
        whole = io.BytesIO()
        quarters().save(whole, kind)
        for _ in range(25):
            content = np.frombuffer(whole.getvalue(), np.uint8).copy()
            content[chance.integers(0, len(content), 6)] = chance.integers(0, 256, 6)
            try:
                outcome = open_picture(content.tobytes(), max_pixels=1_000_000).mode
            except UserError as error:
                outcome = str(error)
            assert outcome == "RGB" or "\n" not in outcome


def test_wrong_paths_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("hello, I am a text")
    os.mkfifo(tmp_path / "pipe")
    cases = {
        tmp_path / "none.png": "no such file",
        tmp_path: "is a directory",
        tmp_path / "note.jpg": "is not an image; give a PNG",
        tmp_path / "pipe": "is not a regular file",
        "https://example.org/a.png": "is an address, not a file",
        "/vsicurl/http://example.org/a.tif": "is an address, not a file",
        "bad\0name": "cannot be opened",
        "": "no file name given",
    }
    for path, message in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            open_picture(path)
        assert "\n" not in str(caught.value)


def test_gdal_opens_no_virtual_raster_and_no_side_file(tmp_path: Path) -> None:
    secret = write_tiff(tmp_path / "secret.tif", np.full((3, 32, 32), 77, np.uint8))
    virtual = (
        '<VRTDataset rasterXSize="32" rasterYSize="32"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{secret}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "x.vrt").write_text(virtual)
    (tmp_path / "y.tif").write_text(virtual)
    for name in ("x.vrt", "y.tif"):
        with pytest.raises(UserError, match="is not an image"):
            open_picture(tmp_path / name)
    # A side file with reduced copies could point anywhere: it must not be looked at.
    open_one = write_tiff(tmp_path / "z.tif", np.full((3, 32, 32), 10, np.uint8))
    (tmp_path / "z.tif.ovr").write_text(virtual.replace("32", "16"))
    (tmp_path / "z.tif.msk").write_text(virtual)
    assert open_picture(open_one).getpixel((1, 1)) == (10, 10, 10)


def test_names_that_look_like_addresses_are_only_names(tmp_path: Path) -> None:
    for name in ("a?b.tif", "a#b.tif", "zip+x!y.tif", "größe 3.tif", "GTIFF_DIR:1:x.tif"):
        write_tiff(tmp_path / "plain.tif", np.full((3, 8, 8), 9, np.uint8)).rename(tmp_path / name)
        assert open_picture(tmp_path / name).getpixel((1, 1)) == (9, 9, 9)


def windowed(path: Path, window: tuple[float, float, float, float] | None, size: tuple[int, int]) -> Any:
    return SimpleNamespace(image=str(path), window=window, width=size[0], height=size[1])


def test_open_sample_cuts_windows_exactly_or_resamples_them(tmp_path: Path) -> None:
    path = tmp_path / "file.png"
    columns = np.tile(np.arange(150, dtype=np.uint8), (150, 1))
    Image.fromarray(np.dstack([columns, columns.T, columns])).save(path)
    whole = np.asarray(open_picture(path))
    assert (np.asarray(open_sample(windowed(path, None, (150, 150)))) == whole).all()
    assert (np.asarray(open_sample(windowed(path, (10, 20, 60, 50), (50, 30)))) == whole[20:50, 10:60]).all()
    centre = np.asarray(open_sample(windowed(path, (9.5, 9.5, 140.5, 140.5), (131, 131)))).astype(float)
    assert centre.shape == (131, 131, 3)
    assert (
        abs(centre[65, 65] - 74.5).max() <= 0.5
    )  # pixel k of the window lies between file pixels k+9 and k+10
    assert np.asarray(open_sample(windowed(path, (0, 0, 150, 150), (75, 75)))).shape == (75, 75, 3)
    with pytest.raises(UserError, match=r"window \(100, 0, 200, 50\) is not inside its 150×150 pixels"):
        open_sample(windowed(path, (100, 0, 200, 50), (100, 50)))


def test_large_scenes_are_decoded_once_while_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    real = pictures.open_picture
    monkeypatch.setattr(pictures, "open_picture", lambda source: opened.append(source) or real(source))
    monkeypatch.setattr(pictures, "_SCENE_PIXELS", 64 * 48)
    monkeypatch.setattr(pictures, "_KEPT_PIXELS", 2 * 64 * 48)
    monkeypatch.setattr(pictures, "_scenes", OrderedDict())
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    for path in paths:
        quarters().save(path)
    for name in (0, 0, 1, 0, 2, 0, 1):  # keeping c pushes out b, which was not used for longest
        open_sample(windowed(Path(paths[name]), (name, 0, name + 8, 8), (8, 8)))
    assert opened == [paths[0], paths[1], paths[2], paths[1]]
    quarters((64, 50)).save(paths[1])
    assert open_sample(windowed(Path(paths[1]), (0, 40, 8, 50), (8, 10))).size == (8, 10)
    small = tmp_path / "small.png"
    quarters((8, 8)).save(small)
    for _ in range(2):
        open_sample(windowed(small, (0, 0, 4, 4), (4, 4)))
    assert opened[-2:] == [str(small)] * 2
