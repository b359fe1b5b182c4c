"""Masks as COCO writes them: where the pixels are, as an upright and as an oriented box.

COCO counts pixels column by column, in runs of background and object by turns; the compressed form packs the
runs, each but the first three as the difference to the one before the last, into characters of five bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skymoe.boxes import oriented_box, polygon_bounds
from skymoe.data.sources.objects import DamagedError
from skymoe.sample import XYXY


def mask_boxes(segmentation: Any) -> tuple[XYXY, tuple[float, ...]]:
    """The tight box (x1, y1, x2, y2) and the smallest rectangle (four corners) around a mask, pixels.

    `segmentation` is a run-length mask (``size`` [height, width], ``counts`` packed or plain), a polygon, or a list
    of either, taken together. Raises DamagedError for anything else and for an empty mask.
    """
    parts = segmentation if isinstance(segmentation, list) else [segmentation]
    points: list[float] = []
    for part in [parts] if parts and isinstance(parts[0], (int, float)) else parts:
        points += _mask_points(part) if isinstance(part, Mapping) else _polygon_points(part)
    if not points:
        raise DamagedError("the mask is empty")
    return polygon_bounds(points), oriented_box(points).polygon()


def _polygon_points(part: Any) -> list[float]:
    try:
        points = [float(value) for value in part]
    except (TypeError, ValueError) as error:
        raise DamagedError("the mask is neither runs nor a polygon") from error
    if len(points) < 6 or len(points) % 2:
        raise DamagedError(f"the mask is a polygon of {len(points)} coordinates")
    return points


def _mask_points(part: Mapping[str, Any]) -> list[float]:
    """The corners of the topmost and the lowest pixel of each column that the mask reaches."""
    try:
        height, width = (int(value) for value in part["size"])
        counts = part["counts"]
        runs = unpacked(counts) if isinstance(counts, str) else [int(run) for run in counts]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError("the mask has no size and counts") from error
    if height <= 0 or min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise DamagedError(f"the mask's runs have {sum(runs)} pixels instead of {height}×{width}")
    columns: dict[int, tuple[int, int]] = {}
    start = 0
    for index, run in enumerate(runs):
        if index % 2 and run:
            for column in range(start // height, (start + run - 1) // height + 1):
                top = max(start - column * height, 0)
                bottom = min(start + run - column * height, height)
                known = columns.get(column, (top, bottom))
                columns[column] = (min(known[0], top), max(known[1], bottom))
        start += run
    points: list[float] = []
    for x, (top, bottom) in columns.items():
        points += [x, top, x + 1, top, x, bottom, x + 1, bottom]
    return points


def unpacked(text: str) -> list[int]:
    """The runs in COCO's compressed string; ValueError where it breaks off."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(character)
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the last run breaks off")
    return runs


def packed(runs: Sequence[int]) -> str:
    """The inverse of :func:`unpacked`."""
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 if more else bits))
            if not more:
                break
    return text
