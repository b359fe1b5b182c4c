"""Which towers and decoders of the library can be parts of a model here, and what they want of us.

Pictures come as `pixel_values` alone, masks as (B, 1, S, L) of booleans, True = sees.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn


def tower_refusal(tower: nn.Module) -> str | None:
    """Why LLaVA, and so SkyMoE, can't see through this tower, in one line that names its type; None where it can."""
    wanted = inspect.signature(tower.forward).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [
        each.name
        for each in wanted
        if each.default is each.empty and each.kind in named and each.name != "pixel_values"
    ]
    if not needed:
        return None
    kind = getattr(tower.config, "model_type", type(tower).__name__)
    return (
        f"a tower of type {kind!r} needs {' and '.join(needed)} with every picture, which LLaVA does not give: choose "
        "a tower that reads pictures of one size, such as clip_vision_model, siglip_vision_model (also of SigLIP 2) "
        "or dinov2"
    )


def attention_of(text_config: Any) -> str:
    """The attention that a decoder of this configuration is computed with: sdpa, which takes our masks and has fast
    kernels everywhere, or eager for a decoder that has no other (Gemma 2, which caps its scores)."""
    from transformers import MODEL_MAPPING

    return "sdpa" if MODEL_MAPPING[type(text_config)]._supports_sdpa else "eager"


def readable_mask(mask: Any, decoder: Any) -> Any:
    """A mask of booleans (B, 1, S, L) as `decoder` reads it: eager attention adds masks to its scores, and there True
    would be a one, and False no barrier. Any other mask comes back as it is."""
    plain = not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.dim() != 4
    if plain or decoder.config._attn_implementation != "eager":
        return mask
    hidden = torch.finfo(decoder.dtype).min
    return torch.zeros(mask.shape, dtype=decoder.dtype, device=mask.device).masked_fill(~mask, hidden)


def longest_read(text_config: Any) -> int:
    """Tokens of the longest sequence in which every layer of the decoder sees every token before.

    Behind a window that slides, layers would forget the picture, and masks of our own know of no window.
    """
    longest: int = text_config.max_position_embeddings
    window = getattr(text_config, "sliding_window", None)
    kinds = getattr(text_config, "layer_types", None)
    if window is None or (kinds is not None and "sliding_attention" not in kinds):
        return longest
    return min(longest, window)


__all__ = ["attention_of", "longest_read", "readable_mask", "tower_refusal"]
