"""The RS-MoE itself on the meta device: names and shapes of its weights, and its tower's arithmetic. Loads torch."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ..architecture import Shapes
from .dimensions import NOT_SETTINGS, RsMoeArchitecture

# Of the parts that do not matter to the tower.
_TINY = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}


def model_weights(model: RsMoeArchitecture) -> Shapes:
    """Names and shapes as `named_parameters()` gives them."""
    return dict(_weights(_key(dict(model.config or {}))))


def tower_flop(model: RsMoeArchitecture) -> tuple[float, int]:
    """(FLOP of reading one picture, tokens that it becomes). The tower is frozen: there is no way back."""
    config = model.config or {}
    kept = ("vision_config", "vision_feature_layer", "vision_feature_select_strategy")
    return _tower(_key({name: config[name] for name in kept if name in config}))


def _key(settings: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in settings.items() if k not in NOT_SETTINGS}, sort_keys=True)


@lru_cache(maxsize=16)
def _weights(settings: str) -> Shapes:
    import torch

    from skymoe.models.rsmoe import RsMoeConfig, RsMoeForConditionalGeneration

    with torch.device("meta"):
        built = RsMoeForConditionalGeneration(RsMoeConfig(**json.loads(settings)))
        built.tie_weights()
    return {name: tuple(weight.shape) for name, weight in built.named_parameters()}


@lru_cache(maxsize=16)
def _tower(settings: str) -> tuple[float, int]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from skymoe.models.rsmoe import RsMoeConfig
    from skymoe.models.rsmoe.modeling_rsmoe import RsMoeModel

    text = {"model_type": "llama", "vocab_size": 8, **_TINY}
    config = RsMoeConfig(text_config=text, qformer_config=dict(_TINY), **json.loads(settings))
    vision: Any = config.vision_config
    vision.dtype = None  # in float32, the format that pictures come in
    with torch.device("meta"):
        built = RsMoeModel(config)
    pixels = torch.empty(1, 3, vision.image_size, vision.image_size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tokens = built.tower_features(pixels)
    return float(counter.get_total_flops()), int(tokens.shape[1])


__all__ = ["model_weights", "tower_flop"]
