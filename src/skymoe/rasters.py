"""TIFF and GeoTIFF (and 16-bit PNG) to an 8-bit RGB picture, through GDAL kept on a short lead.

What a raster's numbers look like as a picture is a choice; ours, used everywhere:

* colour: the bands tagged red, green, blue; else the first three (a fourth band, usually near infrared, is
  left out); one or two bands give a grey picture; a palette is looked up; CMYK is converted.
* depth: 8-bit values stay as they are. Everything else (16 bit, float, …) is stretched so that the 2nd and
  98th percentile of the valid values become black and white, with **one** stretch for all bands so that
  colours keep their relation.
* nodata, NaN and masked pixels are black, and an alpha band is composited over black.
* rasters above `WORKING_PIXELS` are read reduced (averaged); `picture.info["file_size"]` tells the size of
  the file's grid.

GDAL can open far more than pictures, among them addresses on the network and XML files that point elsewhere.
Here it is only given plain local files (or bytes), one named driver, no side files (`.aux.xml`, `.ovr`,
`.msk`) and no network.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, TiffImagePlugin

from skymoe.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKING_PIXELS = 40_000_000
"""Rasters with more pixels are read reduced to at most this many."""
MAX_RASTER_PIXELS = 20_000_000_000
"""Rasters with more pixels are refused: even a reduced reading must walk through all of them."""
MAX_BLOCK_BYTES = 1 << 30
"""One strip or tile must be decoded whole; a bigger one is a decompression bomb or unusable."""

_GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
}


def read_raster(source: Path | bytes, name: str, driver: str = "GTiff") -> Image.Image:
    """The raster in `source` (a plain local file, or its bytes) as PIL RGB; errors call it `name`.

    Raises UserError when it cannot be read, is truncated, or is too large to be read even reduced.
    """
    rasterio = _rasterio()
    if isinstance(source, Path):
        source = source.resolve()
        if source.as_posix().startswith("/vsi"):  # GDAL's names for archives, memory and the network
            raise UserError(f"{name}: lies below {source.parts[1]}, which GDAL reserves; move the file")
    try:
        with rasterio.Env(**_GDAL_OPTIONS):
            if isinstance(source, bytes):
                with rasterio.MemoryFile(source) as memory, memory.open(driver=driver) as raster:
                    picture = _read(raster, name)
            else:
                with rasterio.open(source, driver=driver) as raster:
                    picture = _read(raster, name)
    except rasterio.errors.RasterioError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        reason = f"it is damaged or truncated ({reason})"
        raise UserError(f"{name}: cannot be read as an image, {reason}") from error
    if driver == "GTiff":
        picture = _upright(picture, source)
    return picture


def stretch(bands: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bands of any real dtype, [bands, height, width], as 8 bit: 2–98 percentile of `valid` becomes 0–255.

    A flat picture has no contrast to stretch: it becomes mid grey (black where it is zero).
    """
    values = bands.astype(np.float32)
    seen = values[valid]
    if seen.size == 0:
        return np.zeros(bands.shape, np.uint8)
    # Percentiles of a million values are as good as of all, and take no second.
    low, high = np.percentile(seen[:: max(1, seen.size // 1_000_000)], (2, 98))
    if high <= low:
        low, high = float(seen.min()), float(seen.max())
    if high <= low:
        return np.full(bands.shape, 0 if low == 0 else 128, np.uint8)
    scaled = (values - low) * (255.0 / (high - low))
    return np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0) + 0.5, 0, 255).astype(np.uint8)


def _rasterio() -> Any:
    """rasterio, imported only when a raster is met (it takes a third of a second), with its chatter off."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    logging.getLogger("rasterio._env").setLevel(logging.ERROR)
    return rasterio


def _read(raster: Any, name: str) -> Image.Image:
    width, height, count = raster.width, raster.height, raster.count
    if count == 0:
        raise UserError(f"{name}: holds no bands of its own, only sub-datasets; give one image file")
    if width * height > MAX_RASTER_PIXELS:
        raise UserError(
            f"{name}: {width}×{height} pixels are more than {MAX_RASTER_PIXELS:,}; cut a window out first"
        )
    rows, columns = raster.block_shapes[0]
    shared = count if raster.interleaving is not None and raster.interleaving.value.lower() == "pixel" else 1
    if rows * columns * shared * np.dtype(raster.dtypes[0]).itemsize > MAX_BLOCK_BYTES:
        raise UserError(
            f"{name}: is stored in blocks of {columns}×{rows} pixels, too large to decode; re-tile it"
        )

    from rasterio.enums import ColorInterp, Resampling

    reduce = max(1.0, math.sqrt(width * height / WORKING_PIXELS))
    size = (max(1, int(height / reduce)), max(1, int(width / reduce)))
    how: dict[str, Any] = {
        "out_shape": size,
        "resampling": Resampling.average if reduce > 1 else Resampling.nearest,
    }
    roles = list(raster.colorinterp)

    def bands(indexes: list[int]) -> NDArray[Any]:
        return raster.read(indexes, **{**how, "out_shape": (len(indexes), *size)})

    if roles[0] == ColorInterp.palette:
        # Averaging palette numbers would invent classes.
        how["resampling"] = Resampling.nearest
        table = np.zeros((256, 4), np.uint8)
        for number, colour in raster.colormap(1).items():
            if number < 256:
                table[number] = colour
        looked_up = table[np.minimum(bands([1])[0], 255)]
        opaque = looked_up[..., 3:].astype(np.float32) / 255
        rgb = (looked_up[..., :3] * opaque).astype(np.uint8)
        rgb[raster.read_masks(1, **how) == 0] = 0
    elif roles[:4] == [ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black]:
        inks = np.ascontiguousarray(_eight_bit(raster, bands([1, 2, 3, 4]), None).transpose(1, 2, 0))
        rgb = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    else:
        rgb = _colour(raster, _colour_bands(roles), bands, how)
    picture = Image.fromarray(np.ascontiguousarray(rgb), "RGB")
    picture.info["file_size"] = (width, height)
    return picture


def _colour_bands(roles: list[Any]) -> list[int]:
    """1-based band numbers of red, green, blue, or of the one band of a grey picture."""
    from rasterio.enums import ColorInterp

    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(role in roles for role in wanted):
        return [roles.index(role) + 1 for role in wanted]
    plain = [number for number, role in enumerate(roles, 1) if role != ColorInterp.alpha]
    return plain[:3] if len(plain) >= 3 else plain[:1] or [1]


def _colour(raster: Any, indexes: list[int], bands: Any, how: dict[str, Any]) -> NDArray[np.uint8]:
    """[height, width, 3] of the bands `indexes`, invalid pixels black, alpha over black."""
    from rasterio.enums import ColorInterp

    values = bands(indexes)
    if np.iscomplexobj(values):
        values = np.abs(values)
    valid = np.stack([raster.read_masks(index, **how) > 0 for index in indexes]) & np.isfinite(values)
    rgb = _eight_bit(raster, values, valid).transpose(1, 2, 0)
    # Missing is what no band has a value for: (255, 90, 40) with nodata 255 is an orange roof, not a hole.
    rgb = np.where(valid.any(axis=0)[..., None], rgb, 0).astype(np.uint8)
    roles = list(raster.colorinterp)
    if ColorInterp.alpha in roles:
        number = roles.index(ColorInterp.alpha) + 1
        kind = np.dtype(raster.dtypes[number - 1])
        full = float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0
        opaque = np.clip(bands([number])[0].astype(np.float32) / full, 0, 1)
        rgb = (rgb * opaque[..., None] + 0.5).astype(np.uint8)
    return rgb if rgb.shape[2] == 3 else np.repeat(rgb, 3, axis=2)


def _eight_bit(raster: Any, values: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    if values.dtype != np.uint8:
        return stretch(values, np.isfinite(values) if valid is None else valid)
    bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    return values if bits >= 8 else (values.astype(np.float32) * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def _upright(picture: Image.Image, source: Path | bytes) -> Image.Image:
    """Apply TIFF's Orientation tag, which GDAL ignores."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            header = file.read(8)
            if header[2:3] == b"\x2b" or header[3:4] == b"\x2b":  # BigTIFF
                header += file.read(8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            turn = _TRANSPOSE.get(int(tags.get(274, 1)))
    except Exception:  # a damaged tag list that GDAL forgave: the picture as stored is the best there is
        return picture
    if turn is None:
        return picture
    info = dict(picture.info)
    if turn in (Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
                Image.Transpose.ROTATE_90):  # fmt: skip
        info["file_size"] = info["file_size"][::-1]
    turned = picture.transpose(turn)
    turned.info.update(info)
    return turned
