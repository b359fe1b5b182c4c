"""From a sample to the pixels the tower sees in training: a random view, resized to the model's square."""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.image_processing_utils import BaseImageProcessor

from skymoe.data.views import random_view
from skymoe.pictures import open_sample
from skymoe.sample import Sample

from .edits import edited
from .recipe import Edits, Views

NO_EDITS = Edits()


class TrainingPixels:
    """`pixels(sample, rng)` → the sample as the view shows it, and (3, H, W) float32 as the processor makes them."""

    def __init__(self, processor: BaseImageProcessor, views: Views, edits: Edits = NO_EDITS) -> None:
        self.size = (processor.size["width"], processor.size["height"])
        # The processor's own arithmetic for one picture, without its per-call overhead; a test compares the two.
        self.resample = Image.Resampling(
            int(getattr(processor, "resample", None) or Image.Resampling.BICUBIC)
        )
        self.mean = torch.tensor(processor.image_mean).view(3, 1, 1)
        self.std = torch.tensor(processor.image_std).view(3, 1, 1)
        self.views, self.edits = views, edits

    def __call__(self, sample: Sample, rng: Random, whole: bool = False) -> tuple[Sample, Tensor]:
        """With `whole` the picture as it is, neither edited, turned nor cropped."""
        picture = open_sample(sample)
        if not whole:
            sample, picture = edited(sample, picture, rng, self.edits)
        views = Views(dihedral=False, crop=(1.0, 1.0)) if whole else self.views
        seen, transform = random_view(sample, rng, dihedral=views.dihedral, crop=views.crop)
        values = self._shares(transform.apply(picture))
        if spread := self.views.brightness:
            gain, shift = 1 + rng.uniform(-spread, spread), rng.uniform(-spread, spread) / 2
            values = ((values - 0.5) * gain + 0.5 + shift).clamp(0, 1)
        return seen, (values - self.mean) / self.std

    def plain(self, picture: Image.Image) -> Tensor:
        """(3, H, W) of the picture as it is."""
        return (self._shares(picture) - self.mean) / self.std

    def _shares(self, picture: Image.Image) -> Tensor:
        picture = picture.resize(self.size, self.resample)
        return torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1) / 255
