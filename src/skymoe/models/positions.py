"""Position embeddings of a vision tower, fitted to another picture size."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, cat


def interpolate_position_embedding(
    weight: Tensor, new_side: int | tuple[int, int], *, prefix_tokens: int = 1
) -> Tensor:
    """Fit position embeddings (prefix + n², D) to a grid of m × m (or height × width) patches: (prefix + m², D).

    Bicubic (kernel a = −0.75, corners not aligned: a patch keeps its place in the picture), computed in float32 and
    returned in the dtype of `weight`. The first `prefix_tokens` rows (CLIP's class token) have no place and are kept.
    SkyMoE takes CLIP-L/14 from 24² (336 pixels) to 36² (504 pixels) this way. The same size gives the same tensor back.

    Raises:
        ValueError: if the rows after the prefix are no square grid.
    """
    rows, width = weight.shape
    side = math.isqrt(max(rows - prefix_tokens, 0))
    if side * side != rows - prefix_tokens or side == 0:
        raise ValueError(
            f"position embedding of {rows} rows is not {prefix_tokens} + a square grid; check prefix_tokens"
        )
    size = (new_side, new_side) if isinstance(new_side, int) else tuple(new_side)
    if size == (side, side):
        return weight
    grid_1DHW = weight[prefix_tokens:].float().T.reshape(1, width, side, side)
    grid_1DHW = F.interpolate(grid_1DHW, size=size, mode="bicubic", align_corners=False)
    return cat((weight[:prefix_tokens], grid_1DHW.flatten(2)[0].T.to(weight.dtype)))
