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
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging import kinds
from skymoe.imaging.child import Cancelled
from skymoe.imaging.limits import MAX_FILE_BYTES, MAX_PIXELS, WORKING_PIXELS, Limits
from skymoe.imaging.plain import finish, reason
from skymoe.rasters import read_apart, read_raster

__all__ = [
    "Cancelled", "MAX_FILE_BYTES", "MAX_PIXELS", "WORKING_PIXELS", "open_picture", "open_picture_apart", "open_sample",
]  # fmt: skip

if TYPE_CHECKING:
    from skymoe.sample import Sample


def open_picture(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    pixels: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """The picture in a local file, in bytes, or in a PIL image, as an upright PIL image in mode RGB.

    `pixels` is the most that are needed: a picture of more is reduced, by averaging, while it is read; None takes
    all there are (of a TIFF, `rasters.WORKING_PIXELS`). A PIL image is never reduced.
    `picture.info["file_size"]` is the (width, height) of the stored, upright grid: it differs from
    `picture.size` only for what was read reduced. Raises UserError (one line) when there is no such
    file, it is a directory, no image, truncated, larger than `max_pixels`, or takes too much time or memory.
    """
    limits = Limits(pixels=pixels, most_pixels=max_pixels)
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "") or "the given picture"
        return finish(source, str(name), limits)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), "the given bytes", limits)
    name = os.fspath(source)
    if not name:
        raise UserError("no file name given; give an image file")
    if "://" in name or name.startswith("/vsi"):
        raise UserError(f"{name}: is an address, not a file; download it first")
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                return _decode(file, name, limits)
    except FileNotFoundError as error:
        raise UserError(f"{name}: no such file") from error
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be opened ({reason(error)})") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{name}: is a directory; give an image file")
    raise UserError(f"{name}: is not a regular file; give an image file")


def open_picture_apart(
    data: bytes, *, seconds: float, memory: int, cancelled: Callable[[], bool] | None = None
) -> Image.Image:
    """The picture in the bytes that a remote caller sent, decoded in another process, whatever its format.

    It is reduced to `WORKING_PIXELS`, as `open_picture(data, pixels=WORKING_PIXELS)` does, with the same
    `info["file_size"]`, to which the boxes of an answer refer (`engine.opened.opened_apart` keeps it). Several
    threads may call at once; up to four pictures are decoded at a time, the others wait. `seconds` are for
    decoding, `memory` is in bytes (at most 4 GiB) and for decoding, too; `cancelled` is asked about five times a
    second, from another thread, and ends the process when it says True.

    Raises:
        UserError: as `open_picture`, for "the given bytes", also for what takes too much time or memory.
        Cancelled: `cancelled` said so.
    """
    limits = Limits(pixels=WORKING_PIXELS)
    return read_apart(
        data, "the given bytes", seconds=seconds, memory=memory, limits=limits, cancelled=cancelled
    )


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


def _decode(file: BinaryIO, name: str, limits: Limits) -> Image.Image:
    def raster(file: BinaryIO, name: str, limits: Limits, kind: str) -> Image.Image:
        return read_raster(file, name, kind, limits)

    try:
        return kinds.decode(file, name, limits, raster)
    except MemoryError:
        raise UserError(f"{name}: needs more memory than there is; make it smaller") from None
