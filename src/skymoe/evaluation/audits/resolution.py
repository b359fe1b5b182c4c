"""Resolution: what the answers lose when the picture has half and a quarter of its detail.

The picture is reduced and enlarged again to its own size: what a coarser sensor would have seen, with as many pixels,
so that the model reads as many tokens and boxes stay where they are.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from skymoe.evaluation.audits.bench import Bench
from skymoe.evaluation.audits.contrast import contrast

FACTORS = {"×1": 1.0, "×½": 0.5, "×¼": 0.25}


def run(bench: Bench) -> dict[str, Any]:
    """The benchmark at three resolutions."""
    lines = {
        "×1": bench.plain(),
        "×½": bench.ask("half-resolution", alter=lambda item, picture: coarser(picture, 0.5)),
        "×¼": bench.ask("quarter-resolution", alter=lambda item, picture: coarser(picture, 0.25)),
    }
    return contrast(
        bench,
        lines,
        "right answers lost at {}",
        lambda name, item, picture: coarser(picture, FACTORS[name]),
    )


def coarser(picture: Image.Image, factor: float) -> Image.Image:
    """The same size with ``factor`` of the detail along each side."""
    if factor == 1:
        return picture
    small = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    reduced = picture.resize(small, Image.Resampling.LANCZOS)
    return reduced.resize(picture.size, Image.Resampling.BICUBIC)
