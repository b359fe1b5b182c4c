"""Deep values (16 bit, float …) as eight bits, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 21
"""Values worked on at once: what is computed of them takes several times their room."""


def stretch(bands: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bands of any real dtype, [bands, height, width], as 8 bit: 2–98 percentile of `valid` becomes 0–255.

    A flat picture has no contrast to stretch: it becomes mid grey (black where it is zero).
    """
    low, high = _ends(bands, valid)
    if high is None:
        return np.zeros(bands.shape, np.uint8)
    if high <= low:
        return np.full(bands.shape, 0 if low == 0 else 128, np.uint8)
    result = np.empty(bands.shape, np.uint8)
    for band, rows in _chunks(bands.shape):
        scaled = (bands[band, rows].astype(np.float32) - low) * (255.0 / (high - low))
        scaled = np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        result[band, rows] = np.clip(scaled + 0.5, 0, 255)
    return result


def _ends(bands: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[Any, Any]:
    """The values that become black and white; (None, None) where nothing is valid."""
    total = int(np.count_nonzero(valid))
    if total == 0:
        return None, None
    # Percentiles of a million values are as good as of all, and take no second.
    step = max(1, total // 1_000_000)
    picked, before, least, most = [], 0, np.inf, -np.inf
    for band, rows in _chunks(bands.shape):
        seen = bands[band, rows].astype(np.float32)[valid[band, rows]]
        picked.append(seen[-before % step :: step])
        before += seen.size
        if seen.size:
            least, most = min(least, float(seen.min())), max(most, float(seen.max()))
    low, high = np.percentile(np.concatenate(picked), (2, 98))
    return (low, high) if high > low else (least, most)


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[int, slice]]:
    """Every band and slice of its rows, in the order of memory."""
    rows = max(1, CHUNK // max(1, shape[2]))
    for band in range(shape[0]):
        for top in range(0, shape[1], rows):
            yield band, slice(top, top + rows)
