"""Before stage I: the ImageNet tower learns overhead pictures.

Three small heads ask it what the decoder will need: the scene and the content words of the captions (what they say
becomes the summary token), and on a 28×28 grid where the annotated objects are and how large (it joins the tokens).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skymoe.models.efficientnet_lite import EfficientNetLiteModel
from skymoe.sample import Sample

_WORD = re.compile(r"[a-z]{3,}")
_STOP = {
    *["the", "and", "are", "with", "some", "many", "near", "has", "there", "this", "that", "its"],
    *["two", "one", "three", "several", "from"],
}


def caption_words(samples: Iterable[Sample], least: int = 30) -> list[str]:
    """Words that stand in the captions of at least `least` pictures, the commonest first."""
    counts = Counter(word for sample in samples for word in _words(sample))
    return [
        word for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count >= least
    ]


def _words(sample: Sample) -> set[str]:
    return set(_WORD.findall(" ".join(sample.captions).lower())) - _STOP


class TowerTargets:
    """What the heads should say of a sample; −1 or an all-negative mask where the sample doesn't tell."""

    def __init__(self, samples: Sequence[Sample], object_name: str) -> None:
        # One closed list of scenes per dataset: a scene is only ever compared with the others of its own list.
        self.lists = sorted({sample.labels for sample in samples if sample.label})
        self.offsets = [sum(len(labels) for labels in self.lists[:i]) for i in range(len(self.lists) + 1)]
        self.words = caption_words(samples)
        self.object_name = object_name

    def __call__(self, sample: Sample, side: int) -> dict[str, Tensor]:
        scene, scene_list = -1, -1
        if sample.label:
            scene_list = self.lists.index(sample.labels)
            scene = self.offsets[scene_list] + sample.labels.index(sample.label)
        words = torch.full((len(self.words),), -1.0)
        if sample.captions:
            present = _words(sample)
            words = torch.tensor([float(word in present) for word in self.words])
        grid = torch.full((5, side, side), -1.0)
        if self.object_name in sample.complete | sample.absent:
            grid[0] = 0.0
            for region in sample.regions:
                if region.name != self.object_name:
                    continue
                x1, y1, x2, y2 = region.box
                x, y = (x1 + x2) / 2 / sample.width * side, (y1 + y2) / 2 / sample.height * side
                column, row = min(int(x), side - 1), min(int(y), side - 1)
                width, height = (x2 - x1) / sample.width, (y2 - y1) / sample.height
                grid[:, row, column] = torch.tensor([1.0, x - column, y - row, width, height])
        return {
            "scene": torch.tensor(scene),
            "scene_list": torch.tensor(scene_list),
            "words": words,
            "grid": grid,
        }


class TowerLoss(nn.Module):
    """The tower and what is asked of its summary and its object grid; `forward` returns the summed loss."""

    def __init__(self, tower: EfficientNetLiteModel, targets: TowerTargets) -> None:
        super().__init__()
        self.vision_tower = tower
        assert tower.grid is not None
        assert tower.grid.out.bias is not None
        nn.init.constant_(tower.grid.out.bias, -4.0)  # almost every cell is empty: begin by saying so
        bounds = torch.zeros(len(targets.lists) + 1, targets.offsets[-1], dtype=torch.bool)
        for i in range(len(targets.lists)):
            bounds[i, targets.offsets[i] : targets.offsets[i + 1]] = True
        bounds[-1] = True  # row −1: no list
        self.members: Tensor
        self.register_buffer("members", bounds, persistent=False)

    def forward(
        self,
        pixel_values: Tensor,
        scene: Tensor,
        scene_list: Tensor,
        words: Tensor,
        grid: Tensor,
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        maps = self.vision_tower.features(pixel_values)
        pooled = F.dropout(maps[32].mean(dim=(2, 3)), 0.2, self.training)
        assert self.vision_tower.summary is not None
        logits = self.vision_tower.summary.scene(pooled).float().masked_fill(~self.members[scene_list], -30.0)
        known = scene >= 0
        scene_loss = F.cross_entropy(logits[known], scene[known], reduction="sum") / len(scene)
        told = words[:, :1] >= 0
        word_loss = F.binary_cross_entropy_with_logits(
            self.vision_tower.summary.word(pooled).float(), words.clamp(min=0), reduction="none"
        )
        word_loss = (word_loss * told).sum() / len(scene) / 10
        assert self.vision_tower.grid is not None
        predicted = self.vision_tower.grid(maps[8], maps[16]).float()
        seen = grid[:, 0] >= 0
        weight = 1 + 9 * grid[:, 0].clamp(min=0)
        heat = F.binary_cross_entropy_with_logits(
            predicted[:, 0], grid[:, 0].clamp(min=0), weight, reduction="none"
        )
        heat_loss = (heat * seen).sum() / len(scene) / 50
        centre = (grid[:, 0] > 0)[:, None]
        objects = centre.sum().clamp(min=1)
        offset_loss = ((predicted[:, 1:3].sigmoid() - grid[:, 1:3]).abs() * centre).sum() / objects
        # Of the logarithm: a small object's size matters as much as a large one's.
        size_loss = F.logsigmoid(predicted[:, 3:]) - grid[:, 3:].clamp(min=1e-3).log()
        size_loss = (size_loss.abs() * centre).sum() / objects
        loss = scene_loss + word_loss + heat_loss + (offset_loss + size_loss) / 2
        return {
            "loss": loss,
            "scene_loss": scene_loss,
            "word_loss": word_loss,
            "heat_loss": heat_loss,
            "size_loss": size_loss,
        }


def prepare_for_tower(targets: TowerTargets, pixels: Any, side: int) -> Any:
    """`prepare` for `Pictures`: a sample's view and what the heads should say of it."""

    def prepare(sample: Sample, rng: Random) -> dict[str, Tensor]:
        sample, pixel_values = pixels(sample, rng)
        return {"pixel_values": pixel_values, **targets(sample, side)}

    return prepare
