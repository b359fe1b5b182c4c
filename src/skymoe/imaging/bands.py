"""A raster's bands as an 8-bit RGB picture; `skymoe.rasters` says by which rules. Runs in the worker only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp, MaskFlags, Resampling

from skymoe.errors import UserError
from skymoe.imaging.limits import FREE_BYTES, MAX_RATIO, Limits
from skymoe.imaging.stretching import stretch

_ROWS = 256
"""Rows worked on at once."""


def read_bands(raster: Any, name: str, limits: Limits, file_bytes: int) -> Image.Image:
    """The picture, reduced to `limits.pixels`; UserError where it is too large even for that."""
    width, height = raster.width, raster.height
    reduce = limits.reduction(width, height)
    _check(raster, name, limits, file_bytes, reduce)
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
        rgb = _looked_up(palette(raster), bands([1])[0])
        rgb[raster.read_masks(1, **how) == 0] = 0
    elif roles[:4] == [ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black]:
        inks = np.ascontiguousarray(_eight_bit(raster, bands([1, 2, 3, 4]), None).transpose(1, 2, 0))
        rgb = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    else:
        rgb = _colour(raster, _colour_bands(roles), bands, how)
    picture = Image.fromarray(rgb, "RGB")
    picture.info["file_size"] = (width, height)
    return picture


def palette(raster: Any) -> NDArray[np.uint8]:
    """The colours of the first band's numbers, [256, 4] with alpha; numbers without one are clear."""
    table = np.zeros((256, 4), np.uint8)
    for number, colour in raster.colormap(1).items():
        if number < 256:
            table[number] = colour
    return table


def always_valid(raster: Any, index: int) -> bool:
    """Whether the band has no missing pixels: no nodata value, mask or alpha."""
    return raster.mask_flag_enums[index - 1] == [MaskFlags.all_valid]


def _check(raster: Any, name: str, limits: Limits, file_bytes: int, reduce: float) -> None:
    width, height, count = raster.width, raster.height, raster.count
    if count == 0:
        raise UserError(f"{name}: holds no bands of its own, only sub-datasets; give one image file")
    if width * height > limits.raster_pixels:
        raise UserError(
            f"{name}: {width}×{height} pixels are more than {limits.raster_pixels:,}; cut a window out first"
        )
    rows, columns = raster.block_shapes[0]
    cell = np.dtype(raster.dtypes[0]).itemsize
    pixelwise = raster.interleaving is not None and raster.interleaving.value.lower() == "pixel"
    if rows * columns * cell * (count if pixelwise else 1) > limits.block_bytes:
        raise UserError(
            f"{name}: is stored in blocks of {columns}×{rows} pixels, too large to decode; re-tile it"
        )
    # GDAL reads the smallest of the reduced copies in the file that is large enough.
    level = max([1, *(factor for factor in raster.overviews(1) if factor <= reduce)])
    decoded = width * height * cell * (count if pixelwise else min(count, 4)) // level**2
    if decoded > FREE_BYTES + MAX_RATIO * file_bytes:
        raise UserError(
            f"{name}: claims {width}×{height} pixels in {file_bytes:,} bytes, more than can be in them"
        )


def _looked_up(table: NDArray[np.uint8], numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """[height, width, 3] of numbers [height, width], clear colours over black."""
    table = (table[:, :3] * (table[:, 3:].astype(np.float32) / 255)).astype(np.uint8)
    rgb = np.empty((*numbers.shape, 3), np.uint8)
    for top in range(0, len(numbers), _ROWS):
        rgb[top : top + _ROWS] = table[np.minimum(numbers[top : top + _ROWS], 255)]
    return rgb


def _colour_bands(roles: list[Any]) -> list[int]:
    """1-based band numbers of red, green, blue, or of the one band of a grey picture."""
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(role in roles for role in wanted):
        return [roles.index(role) + 1 for role in wanted]
    plain = [number for number, role in enumerate(roles, 1) if role != ColorInterp.alpha]
    return plain[:3] if len(plain) >= 3 else plain[:1] or [1]


def _colour(
    raster: Any, indexes: list[int], bands: Callable[[list[int]], NDArray[Any]], how: dict[str, Any]
) -> NDArray[np.uint8]:
    """[height, width, 3] of the bands `indexes`, invalid pixels black, alpha over black."""
    values = bands(indexes)
    if np.iscomplexobj(values):
        values = np.abs(values)
    valid = np.empty(values.shape, np.bool_)
    for number, index in enumerate(indexes):
        if always_valid(raster, index):  # a mask would be computed from as many pixels as the band has
            valid[number] = True
        else:
            np.greater(raster.read_masks(index, **how), 0, out=valid[number])
        if values.dtype.kind == "f":
            valid[number] &= np.isfinite(values[number])
    # Missing is what no band has a value for: (255, 90, 40) with nodata 255 is an orange roof, not a hole.
    missing: NDArray[np.bool_] = np.logical_not(valid.any(axis=0))
    grey = _eight_bit(raster, values, valid)
    del values, valid
    alpha, full = _alpha(raster, bands)
    rgb = np.empty((*missing.shape, 3), np.uint8)
    for top in range(0, len(rgb), _ROWS):
        rows = slice(top, top + _ROWS)
        part = grey[:, rows].transpose(1, 2, 0)
        rgb[rows] = part
        rgb[rows][missing[rows]] = 0
        if alpha is not None:
            opaque = np.clip(alpha[rows].astype(np.float32) / full, 0, 1)
            rgb[rows] = (rgb[rows] * opaque[..., None] + 0.5).astype(np.uint8)
    return rgb


def _alpha(raster: Any, bands: Callable[[list[int]], NDArray[Any]]) -> tuple[NDArray[Any] | None, float]:
    """The alpha band [height, width], if there is one, and its value where opaque."""
    roles = list(raster.colorinterp)
    if ColorInterp.alpha not in roles:
        return None, 1.0
    number = roles.index(ColorInterp.alpha) + 1
    kind = np.dtype(raster.dtypes[number - 1])
    return bands([number])[0], float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0


def _eight_bit(raster: Any, values: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    if values.dtype != np.uint8:
        return stretch(values, np.isfinite(values) if valid is None else valid)
    bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    return values if bits >= 8 else (values.astype(np.float32) * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)
