"""Pictures drawn for these tests: grainy ground with discs or turned rectangles on it, annotated exhaustively."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skymoe.boxes import Box
from skymoe.sample import Region, Sample

GROUND, WHITE, BLUE = (120, 128, 110), (225, 225, 222), (40, 70, 190)
Colour = tuple[int, int, int]
NAME = "storage tank"


def ground(width: int, height: int, seed: int = 0, colour: Colour = GROUND) -> NDArray[np.uint8]:
    """Smooth waves and fine grain, so that no two places are the same and none is empty."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:height, :width]
    waves = 5 * np.sin(xs / 17 + seed) + 5 * np.cos(ys / 23)
    grain = rng.normal(0, 3, (height, width))
    return np.clip(np.array(colour) + (waves + grain)[..., None], 0, 255).astype(np.uint8)


def scene(
    centres: list[tuple[int, int]],
    *,
    radius: int = 12,
    size: tuple[int, int] = (300, 240),
    colours: list[Colour] | None = None,
    turned: bool = False,
    seed: int = 0,
    **changes: object,
) -> tuple[Sample, NDArray[np.uint8]]:
    """A sample with an object of the class at each centre, and its picture.

    Discs with horizontal boxes; or ``turned``: rectangles at 30° with oriented ones.
    """
    width, height = size
    pixels = ground(width, height, seed)
    shade = np.random.default_rng(seed + 1)
    regions = []
    for number, (x, y) in enumerate(centres):
        colour = np.array(colours[number] if colours else WHITE)
        ys, xs = np.mgrid[:height, :width] + 0.5
        if turned:
            box = Box(x - radius, y - radius / 2, x + radius, y + radius / 2, 30.0)
            cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
            along, across = (xs - x) * cos + (ys - y) * sin, (ys - y) * cos - (xs - x) * sin
            mask = (abs(along) <= radius) & (abs(across) <= radius / 2)
            regions.append(Region(NAME, box.enclosing().xyxy, box.polygon()))
        else:
            mask = np.hypot(xs - x, ys - y) <= radius
            regions.append(Region(NAME, (x - radius, y - radius, x + radius, y + radius)))
        # A lighter side and some grain, as a roof has.
        relief = ((xs - x) / radius * 8)[mask] + shade.normal(0, 2, int(mask.sum()))
        pixels[mask] = np.clip(colour + relief[:, None], 0, 255).astype(np.uint8)
    sample = Sample(
        "drawn/1", "drawn.png", "drawn", "train", "none", width, height, regions=tuple(regions),
        complete=frozenset({NAME}), label="industrial", captions=("a quiet place",),
    )  # fmt: skip
    return sample.replace(**changes), pixels


def grid(columns: int, rows: int, step: int = 40, start: int = 25) -> list[tuple[int, int]]:
    return [(start + step * x, start + step * y) for y in range(rows) for x in range(columns)]


def original(sample: Sample) -> Sample:
    """The sample as the build writes it beside its variants."""
    return sample.replace(pair=sample.id)
