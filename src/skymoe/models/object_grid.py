"""What the tower says of single objects: a small grid, learnt before stage I, whose findings join the tokens.

Shapes: B batch, C channels, H, W height and width of the picture, N = (H/32)·(W/32) visual tokens.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TOKEN_STRIDE = 32
# The object grid: one cell per 8×8 pixels.
GRID_STRIDE = 8
# What a token carries of the grid, and how loud. AdamW moves a token's reading by its inputs' summed size, and a token
# has some 2,400 other channels of size 1: with a tenth of these gains the decoder ignored the grid for 800 steps.
PRESENCE_GAIN, COUNT_GAIN, EXTENT_GAIN, WAVE_GAIN = 8.0, 4.0, 16.0, 6.0
BOX_WAVES = 8  # frequencies per box side, 1/4 to 8 waves across the picture
GRID_CHANNELS = (TOKEN_STRIDE // GRID_STRIDE) ** 2 + 2 + 4 * 2 * BOX_WAVES


class ObjectGrid(nn.Module):
    """Where objects of the class it was taught are, after CenterNet (Zhou et al. 2019): logits (B, 5, H/8, W/8).

    The channels are presence of a centre in the cell, its offset x, y from the cell's corner (as shares of the cell)
    and the object's width and height (as shares of the picture), all before the sigmoid.
    """

    def __init__(self, fine: int, middle: int) -> None:
        """`fine` and `middle`: channels of the maps of stride 8 and 16 that it reads."""
        super().__init__()
        self.hidden = nn.Conv2d(fine + middle, 64, 3, padding=1)
        self.out = nn.Conv2d(64, 5, 1)

    def forward(self, fine: Tensor, middle: Tensor) -> Tensor:
        coarse = F.interpolate(middle, scale_factor=2.0, mode="nearest")
        return self.out(F.relu(self.hidden(torch.cat([fine, coarse], dim=1))))

    def told(self, logits: Tensor) -> Tensor:
        """What the tokens carry of it, (B, N, GRID_CHANNELS): the presence in each cell and their sum; and of the
        clearest object its extent and, as waves, left, top, right and bottom edge, faded where nothing is clear."""
        presence, boxes = logits.float().sigmoid(), grid_boxes(logits.float())
        per_token = TOKEN_STRIDE // GRID_STRIDE

        def cells(x: Tensor) -> Tensor:  # (B, C, H/8, W/8) → (B, N, C, cells of a token)
            batch, channels = x.shape[:2]
            x = F.pixel_unshuffle(x, per_token)
            return x.reshape(batch, channels, per_token**2, -1).permute(0, 3, 1, 2)

        present = cells(presence[:, :1])  # (B, N, 1, 16)
        clear = present.square()
        clear = clear / clear.sum(dim=-1, keepdim=True).clamp(min=1e-6)
        box = (cells(boxes) * clear).sum(dim=-1)  # (B, N, 4)
        strength = present.amax(dim=-1)  # (B, N, 1)
        extent = ((box[..., 2:] - box[..., :2]).clamp(min=0).prod(dim=-1, keepdim=True) + 1e-6).sqrt()
        frequencies = 2 * math.pi * torch.logspace(-2, 3, BOX_WAVES, base=2.0, device=box.device)
        angles = (box[..., None] * frequencies).flatten(2)
        waves = strength * torch.cat([angles.sin(), angles.cos()], dim=-1)
        count = present.sum(dim=-1)
        parts = [
            PRESENCE_GAIN * present[:, :, 0],
            COUNT_GAIN * count,
            EXTENT_GAIN * strength * extent,
            WAVE_GAIN * waves,
        ]
        return torch.cat(parts, dim=-1).to(logits.dtype)


def grid_boxes(logits: Tensor) -> Tensor:
    """Boxes (B, 4, H/8, W/8) that an object grid's logits say, xyxy as shares of the picture, one per cell."""
    _, _, rows, columns = logits.shape
    corner = torch.stack(
        torch.meshgrid(
            torch.arange(columns, device=logits.device),
            torch.arange(rows, device=logits.device),
            indexing="xy",
        )
    )
    scale = torch.tensor([columns, rows], device=logits.device)[:, None, None]
    centre = (corner + logits[:, 1:3].sigmoid()) / scale
    half = logits[:, 3:].sigmoid() / 2
    return torch.cat([centre - half, centre + half], dim=1)


__all__ = ["GRID_CHANNELS", "GRID_STRIDE", "TOKEN_STRIDE", "ObjectGrid", "grid_boxes"]
