"""What the tower says of the picture as a whole: one token before the others, as CLIP's class token stands there.

Captions and labels need the whole picture, and a small decoder is slow to learn to gather it from 49 tokens: nano's
named scenes six points worse than a linear layer on the mean of the same tokens' features. So the mean is a token, and
beside it two small heads, learnt before stage I, tell which scene of each closed list and which words it suggests.

Shapes: B batch, C channels of the mean, K scenes and words told.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# How loud: see `object_grid`.
SCENE_GAIN, WORD_GAIN = 16.0, 8.0


class SceneSummary(nn.Module):
    """Scene logits and word logits from the mean (B, C) of the tower's last map."""

    def __init__(self, channels: int, scene_lists: Sequence[Sequence[str]], words: Sequence[str]) -> None:
        super().__init__()
        self.sizes = [len(scenes) for scenes in scene_lists]
        self.norm = nn.LayerNorm(channels)
        self.scene = nn.Linear(channels, sum(self.sizes))
        self.word = nn.Linear(channels, len(words))

    def told(self, mean: Tensor) -> tuple[Tensor, Tensor]:
        """The summary token: the normalised mean (B, C), and what the heads say of it (B, K): the probability of each
        scene within its own list and of each word."""
        lists = self.scene(mean).float().split(self.sizes, dim=-1)
        scenes = [SCENE_GAIN * logits.softmax(dim=-1) for logits in lists]
        words = WORD_GAIN * self.word(mean).float().sigmoid()
        return self.norm(mean), torch.cat([*scenes, words], dim=-1).to(mean.dtype)


__all__ = ["SceneSummary"]
