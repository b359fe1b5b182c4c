"""Fewer weights for reading wide tower features: one projection in place of each layer's own wide keys and values.

Shapes: N tokens, C the tower's width, R the narrow width, K all rows of the Q-Former's key and value weights together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .generation_rsmoe import RsMoeForConditionalGeneration


@torch.no_grad()
def narrowed(
    model: RsMoeForConditionalGeneration, features: Iterable[Tensor], width: int
) -> RsMoeForConditionalGeneration:
    """A copy of `model` whose Q-Former reads `width` numbers of each tower token.

    Of all projections of that width it is the one that keeps the Q-Former's keys and values best, in the least-squares
    sense, on `features` (…, C) as the tower gives them: the leading left singular vectors of W·M^½, with W (K, C) the
    stacked weights and M (C, C) the features' second moment.

    Raises:
        ValueError: the model reads through a projection already, or `width` is not below the tower's.
    """
    vision: Any = model.config.vision_config
    wide: int = vision.hidden_size
    if model.config.feature_width is not None or not 0 < width < wide:
        raise ValueError(
            f"feature width {width}: give a number below {wide}, the tower's, for a model that is not narrowed yet "
            f"(feature_width={model.config.feature_width})"
        )
    readers = _readers(model.model.qformer)
    weights_KC = torch.cat([reader.weight for reader in readers]).double()
    moment_CC = weights_KC.new_zeros(wide, wide)
    for part in features:
        tokens_NC = part.reshape(-1, wide).double()
        moment_CC += tokens_NC.T @ tokens_NC
    values, vectors_CC = torch.linalg.eigh(moment_CC)
    root_CC = (vectors_CC * values.clamp(min=0).sqrt()) @ vectors_CC.T
    left_KK, _, _ = torch.linalg.svd(weights_KC @ root_CC, full_matrices=False)
    basis_KR = left_KK[:, :width]

    config: Any = copy.deepcopy(model.config)
    config.feature_width = config.qformer_config.encoder_hidden_size = width
    made = RsMoeForConditionalGeneration(config)
    names = {f"{name}.weight" for name, module in model.named_modules() if module in set(readers)}
    kept = {name: value for name, value in model.state_dict().items() if name not in names}
    missing = made.load_state_dict(kept, strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys
    made.tie_weights()
    projector: Any = made.model.feature_projector
    projector.weight.copy_(basis_KR.T @ weights_KC)
    projector.bias.zero_()
    heights = [len(reader.weight) for reader in readers]
    for reader, rows in zip(_readers(made.model.qformer), basis_KR.split(heights), strict=True):
        reader.weight.copy_(rows)
    return made


def _readers(qformer: nn.Module) -> list[nn.Linear]:
    """The linear layers that make keys and values of tower features."""
    return [
        module
        for name, module in qformer.named_modules()
        if isinstance(module, nn.Linear)
        and name.endswith(("crossattention.attention.key", "crossattention.attention.value"))
    ]


__all__ = ["narrowed"]
