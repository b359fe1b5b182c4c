"""Blind runs: what is left of every number when the picture is taken away.

Once it is replaced by its mean colour, once by another picture of the benchmark (in the size of the right one). The
gap is what the model sees; what remains comes from the words of the question and from what is frequent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from PIL import Image

from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Bench
from skymoe.evaluation.audits.contrast import contrast
from skymoe.evaluation.baselines import mean_colour
from skymoe.evaluation.benchmarks import Item
from skymoe.pictures import open_sample
from skymoe.sample import Sample

REAL, COLOUR, OTHER = "the picture", "its mean colour", "another picture"


def run(bench: Bench) -> dict[str, Any]:
    """The benchmark with its pictures, with one colour in their place, and with each other's.

    Raises:
        UserError: where there is only one picture.
    """
    seed = bench.settings.seed
    others = exchanged([item.sample for item in bench.items], seed)

    def show(name: str, item: Item, picture: Image.Image) -> Image.Image:
        if name == OTHER:
            return other_picture(item, picture, others)
        return mean_colour(picture) if name == COLOUR else picture

    lines = {
        REAL: bench.plain(),
        COLOUR: bench.ask("mean-colour", alter=lambda item, picture: show(COLOUR, item, picture)),
        OTHER: bench.ask(
            "another-picture", alter=lambda item, picture: show(OTHER, item, picture), seed=seed
        ),
    }
    return contrast(bench, lines, "right answers, the picture minus {}", show)


def exchanged(samples: Sequence[Sample], seed: int) -> dict[str, Sample]:
    """For every sample's id another sample; each stands in for exactly one."""
    every = {sample.id: sample for sample in samples}
    if len(every) < 2:
        raise UserError("there is only one picture, none to take its place: give a larger --limit")
    ring = Random(f"exchanged/{seed}").sample(sorted(every), len(every))
    return {name: every[other] for name, other in zip(ring, [*ring[1:], ring[0]], strict=True)}


def other_picture(item: Item, picture: Image.Image, others: Mapping[str, Sample]) -> Image.Image:
    """The picture that stands in for the item's, in its size: only what is to be seen differs."""
    other = open_sample(others[item.sample.id])
    return other if other.size == picture.size else other.resize(picture.size, Image.Resampling.BICUBIC)
