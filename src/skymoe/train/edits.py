"""Context-disentangled augmentation while training: a share of the pictures is edited before it is seen.

What is edited, and how, is drawn from the picture's own random numbers, so a resumed run edits alike. An edit that
cannot be done honestly, or that the checker finds wrong, is not made: the picture stays as it is.
"""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image

from skymoe.augment import RefusedError, check
from skymoe.augment.build import Settings, edit
from skymoe.sample import Sample

from .recipe import Edits


def edited(sample: Sample, picture: Image.Image, rng: Random, edits: Edits) -> tuple[Sample, Image.Image]:
    """The sample and its picture (RGB), of which at most one kind of edit was made."""
    for kind, share in edits.shares:
        # No random number is drawn for what is not asked for: recipes without edits see the views they always saw.
        if share and rng.random() < share:
            settings = Settings(kind, seed=rng.getrandbits(32), variants=1, fill=edits.fill)
            pixels = np.asarray(picture)
            try:
                variants = edit(sample, pixels, settings).variants
            except RefusedError:
                continue
            original = sample.replace(pair=sample.pair or sample.id)
            if variants and not check(original, variants[0].sample, pixels, variants[0].pixels):
                return variants[0].sample, Image.fromarray(variants[0].pixels)
    return sample, picture


__all__ = ["edited"]
