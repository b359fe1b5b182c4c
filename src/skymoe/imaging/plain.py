"""PNG, JPEG, WebP, BMP and GIF as upright 8-bit RGB, through Pillow."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from skymoe.errors import UserError
from skymoe.imaging import jpeg_scans
from skymoe.imaging.limits import MAX_WHOLE_PIXELS, Limits
from skymoe.imaging.stretching import stretch
from skymoe.imaging.upright import upright

_DECODERS = (
    (b"\xff\xd8\xff", JpegImagePlugin.jpeg_factory), (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile), (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
)  # fmt: skip


def plain(file: BinaryIO, head: bytes, name: str, limits: Limits) -> ImageFile.ImageFile:
    """The picture in `file`, which begins with `head`, its size checked and nothing decoded yet."""
    decoder = next((decoder for magic, decoder in _DECODERS if head.startswith(magic)), None)
    if decoder is None:
        raise UserError(f"{name}: is not an image; give a PNG, JPEG, WebP, BMP, GIF, TIFF or GeoTIFF file")
    # Not Image.open: it would try every format there is, and its size limit is a global.
    picture = decoder(file)
    jpeg = isinstance(picture, JpegImagePlugin.JpegImageFile)
    whole = _whole(picture) or (jpeg and jpeg_scans.in_pieces(file))
    limits.check(*picture.size, name, whole=whole)
    if whole and jpeg:
        jpeg_scans.check(file, name)
    return picture


def _whole(picture: ImageFile.ImageFile) -> bool:
    """Whether its head says that all of it has to be in memory, several times over, before the first pixel is known."""
    told = picture.info.get("progressive") or picture.info.get("interlace")
    packed_bmp = picture.format == "BMP" and picture.info.get("compression") in (1, 2)
    return picture.format in ("WEBP", "GIF") or packed_bmp or bool(told)


def finish(picture: Image.Image, name: str, limits: Limits, ours: bool = False) -> Image.Image:
    """Decode, turn upright, and make RGB; `ours`: nobody else has it, so that it may be changed.

    Of ours, a JPEG of more pixels than are needed is decoded at a half, a quarter or an eighth, and everything is
    averaged to what is needed.
    """
    width, height = picture.size
    limits.check(width, height, name)
    reduce = limits.reduction(width, height) if ours else 1.0
    needed = (max(1, int(width / reduce)), max(1, int(height / reduce)))
    try:
        if reduce > 1 and isinstance(picture, JpegImagePlugin.JpegImageFile):
            picture.draft(None, needed)
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        raise UserError(damaged(name, error)) from error
    if reduce > 1:
        reduced = _reduced(picture, needed)
        reduced.info = {"file_size": (width, height)}
        return upright(reduced, orientation(picture))
    # In place or a copy: the caller's own picture stays as it is, and a large one has no room for two.
    in_place = ours and (picture.mode != "RGB" or width * height > MAX_WHOLE_PIXELS)
    try:
        if in_place:
            ImageOps.exif_transpose(picture, in_place=True)
            turned = picture
        else:
            turned = ImageOps.exif_transpose(picture)
    except MemoryError:
        raise
    except Exception:  # an unreadable EXIF block says nothing about the pixels
        turned = picture if in_place else picture.copy()
    rgb = to_rgb(turned)
    rgb.info = {"file_size": rgb.size}
    return rgb


def _reduced(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`to_rgb`, averaged; what has one band is averaged first: as RGB all its pixels would take four times as much."""
    if "transparency" not in picture.info:
        if picture.mode in ("1", "L"):
            return picture.convert("L").resize(size, Image.Resampling.BOX).convert("RGB")
        if picture.mode == "P":
            table = np.zeros((256, 3), np.uint8)
            colours = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
            table[: len(colours)] = colours
            bands = [
                picture.point(table[:, band].tolist(), "L").resize(size, Image.Resampling.BOX)
                for band in range(3)
            ]
            return Image.merge("RGB", bands)
    return to_rgb(picture).resize(size, Image.Resampling.BOX)


def orientation(picture: Image.Image) -> int:
    """What EXIF says of how the picture was held, 1 to 8."""
    try:
        return int(picture.getexif().get(274, 1))
    except Exception:  # an unreadable EXIF block says nothing about the pixels
        return 1


def to_rgb(picture: Image.Image) -> Image.Image:
    """RGB, clear pixels over black, deep ones stretched."""
    mode = picture.mode
    if mode == "RGB" and "transparency" not in picture.info:
        return picture
    if mode == "F" or mode.startswith("I"):
        values = np.asarray(picture)[None]
        return Image.fromarray(stretch(values, np.isfinite(values))[0], "L").convert("RGB")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture if mode == "RGBA" else picture.convert("RGBA")
        black = Image.new("RGB", picture.size)
        black.paste(picture, mask=picture.getchannel("A"))
        return black
    return picture.convert("RGB")


def damaged(name: str, error: BaseException) -> str:
    """The line for a file that a decoder gave up on."""
    return f"{name}: cannot be read as an image, it is damaged or truncated ({reason(error)})"


def reason(error: BaseException) -> str:
    """The first line of what an error says, or what it is."""
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
