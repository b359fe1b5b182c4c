"""Opening pictures: any sane image file becomes an upright 8-bit RGB picture, anything else one clear line.

PNG, JPEG (also CMYK and multi-picture), WebP, BMP and GIF (first frame) are decoded by Pillow; TIFF, GeoTIFF
and 16-bit PNG by `skymoe.rasters`, whose docstring says how bands, depth and nodata become colours. The kind
of a file is read from its first bytes, never from its name. Nothing is ever fetched from an address.

Transparent pixels are composited over **black**, like nodata: white would look like cloud, sand or a bright
roof from above, and black is what nodata borders look like in the field's data already.
"""

from __future__ import annotations

import io
import os
import stat
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from skymoe.errors import UserError
from skymoe.rasters import read_raster, stretch

if TYPE_CHECKING:
    from skymoe.sample import Sample

MAX_PIXELS = 250_000_000
"""PNG, JPEG … with more pixels are refused (decompression bombs); GeoTIFFs are read reduced instead."""
MAX_FILE_BYTES = 1 << 30
"""PNG, JPEG … files with more bytes are refused."""


def open_picture(
    source: str | os.PathLike[str] | bytes | Image.Image, *, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """The picture in a local file, in bytes, or in a PIL image, as an upright PIL image in mode RGB.

    `picture.info["file_size"]` is the (width, height) of the stored, upright grid: it differs from
    `picture.size` only for rasters that were read reduced. Raises UserError (one line) when there is no such
    file, it is a directory, no image, truncated, or larger than `max_pixels`.
    """
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "") or "the given picture"
        return _finish(source, str(name), max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), "the given bytes", max_pixels)
    name = os.fspath(source)
    if not name:
        raise UserError("no file name given; give an image file")
    if "://" in name or name.startswith("/vsi"):
        raise UserError(f"{name}: is an address, not a file; download it first")
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise UserError(f"{name}: no such file") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be opened ({_reason(error)})") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{name}: is a directory; give an image file")
    if not stat.S_ISREG(mode):
        raise UserError(f"{name}: is not a regular file; give an image file")
    return _decode(path, name, max_pixels)


def open_sample(sample: Sample) -> Image.Image:
    """The picture of a sample in RGB, `sample.width` × `sample.height`: its file, cut to `sample.window`.

    A window on whole pixels at its own size is cut exactly; any other is resampled (bicubic), so that
    half-pixel windows (RSICD inside AID) and enlarged or reduced tiles are true to their coordinates.
    """
    if sample.window is None:
        return open_picture(sample.image)
    whole = _scene(sample.image)
    left, top, right, bottom = sample.window
    if not (0 <= left < right <= whole.width and 0 <= top < bottom <= whole.height):
        size = f"{whole.width}×{whole.height}"
        raise UserError(f"{sample.image}: window {sample.window} is not inside its {size} pixels")
    wanted = (sample.width, sample.height)
    if wanted == (right - left, bottom - top) and all(float(edge).is_integer() for edge in sample.window):
        return whole.crop((int(left), int(top), int(right), int(bottom)))
    return whole.resize(wanted, Image.Resampling.BICUBIC, box=sample.window)


_SCENE_PIXELS = 1_000_000
_KEPT_PIXELS = 256_000_000
_scenes: OrderedDict[tuple[str, int, int], Image.Image] = OrderedDict()
_scenes_lock = Lock()


def _scene(path: str) -> Image.Image:
    """`open_picture` that remembers large pictures (768 MB of them): a scene's tiles are read again and again."""
    try:
        status = os.stat(path)
    except OSError:
        return open_picture(path)  # which says what is wrong
    key = (path, status.st_mtime_ns, status.st_size)
    with _scenes_lock:
        if key in _scenes:
            _scenes.move_to_end(key)
            return _scenes[key]
    picture = open_picture(path)
    if picture.width * picture.height >= _SCENE_PIXELS:
        with _scenes_lock:
            _scenes[key] = picture
            while len(_scenes) > 1 and sum(p.width * p.height for p in _scenes.values()) > _KEPT_PIXELS:
                _scenes.popitem(last=False)
    return picture


_PILLOW = (
    (b"\xff\xd8\xff", JpegImagePlugin.jpeg_factory), (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile), (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
)  # fmt: skip
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _decode(source: Path | bytes, name: str, max_pixels: int) -> Image.Image:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            head = file.read(26)
            if not head:
                raise UserError(f"{name}: is empty; give an image file")
            if head.startswith(_TIFF):
                return read_raster(source, name)
            decoder = next((decoder for magic, decoder in _PILLOW if head.startswith(magic)), None)
            if decoder is None:
                raise UserError(
                    f"{name}: is not an image; give a PNG, JPEG, WebP, BMP, GIF, TIFF or GeoTIFF file"
                )
            size = file.seek(0, io.SEEK_END)
            if size > MAX_FILE_BYTES:
                limit = f"{MAX_FILE_BYTES:,}"
                raise UserError(f"{name}: {size:,} bytes are more than {limit}; make it smaller or a GeoTIFF")
            file.seek(0)
            # Not Image.open: it would try every format there is, and its size limit is a global.
            picture = decoder(file)
            _check_size(picture, name, max_pixels)
            if head.startswith(b"\x89PNG") and head[24] == 16 and picture.mode not in ("I;16", "I"):
                # Pillow would keep only the upper byte of 16-bit colour.
                return read_raster(source, name, driver="PNG")
            return _finish(picture, name, max_pixels)
    except UserError:
        raise
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise UserError(_damaged(name, error)) from error


def _check_size(picture: Image.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise UserError(f"{name}: {width}×{height} pixels are more than {max_pixels:,}; make it smaller")


def _finish(picture: Image.Image, name: str, max_pixels: int) -> Image.Image:
    _check_size(picture, name, max_pixels)
    try:
        picture.load()
    except Exception as error:
        raise UserError(_damaged(name, error)) from error
    try:
        upright = ImageOps.exif_transpose(picture)  # always a copy: the caller's own picture stays as it is
    except Exception:  # an unreadable EXIF block says nothing about the pixels
        upright = picture.copy()
    rgb = _to_rgb(upright)
    rgb.info = {"file_size": rgb.size}
    return rgb


def _to_rgb(picture: Image.Image) -> Image.Image:
    mode = picture.mode
    if mode == "RGB" and "transparency" not in picture.info:
        return picture
    if mode == "F" or mode.startswith("I"):
        values = np.asarray(picture)[None]
        return Image.fromarray(stretch(values, np.isfinite(values))[0], "L").convert("RGB")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        black = Image.new("RGB", picture.size)
        black.paste(picture, mask=picture.getchannel("A"))
        return black
    return picture.convert("RGB")


def _damaged(name: str, error: BaseException) -> str:
    return f"{name}: cannot be read as an image, it is damaged or truncated ({_reason(error)})"


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
