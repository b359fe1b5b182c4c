"""What only the real model can tell, asked on the meta device: shapes without numbers, which take no memory.

Towers that are no transformers on patches, and decoders that `architecture.py` does not know. Loads torch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .architecture import Architecture, Shapes
from .tape import Block, Tape
from .tensors import TOWER


def model_weights(model: Architecture) -> Shapes:
    """Names and shapes of the whole model's weights, from the model itself."""
    import torch

    from skymoe.models.skymoe import SkyMoeForConditionalGeneration

    with torch.device("meta"):
        built = SkyMoeForConditionalGeneration(configuration(model))
    return {name: tuple(weight.shape) for name, weight in built.named_parameters()}


def tower_weights(model: Architecture) -> Shapes:
    """Names and shapes of the vision tower's weights, without the model's prefix."""
    return {name: tuple(weight.shape) for name, weight in _tower(model).named_parameters()}


def feature_width(model: Architecture) -> int:
    """Width of the tokens that the tower gives to the adaptor."""
    return int(_tower(model).config.hidden_size)


def walk_tower(tape: Tape) -> int:
    """The tower as one block: run once on a picture without numbers, counting arithmetic and what autograd keeps."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    stage = tape.stage
    tower = _tower(stage.architecture)
    kept: dict[int, int] = {}
    own = {id(weight.untyped_storage()) for weight in tower.parameters()}
    held: list[Any] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in own:
            held.append(storage)  # an id is only a name as long as its owner lives
            kept[id(storage)] = storage.nbytes()
        return tensor

    for name, weight in tower.named_parameters():
        weight.requires_grad_(stage.trained(TOWER + name))
    side = stage.architecture.tower.image_size
    pixels = torch.empty(1, 3, side, side, device="meta")
    kept_by_autograd = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with FlopCounterMode(display=False) as forward, kept_by_autograd:
        tokens = tower(pixels, output_hidden_states=True).last_hidden_state
    block: Block = tape.begin("tower input")
    block.forward = float(forward.get_total_flops())
    compute = tape.dtypes.compute(tape.stored(TOWER))
    block.saved = 3 * side**2 * 4
    if tokens.requires_grad:
        with FlopCounterMode(display=False) as backward:
            tokens.sum().backward()
        block.backward = float(backward.get_total_flops())
        block.saved += sum(kept.values()) * compute / 4
        block.passing = max(kept.values(), default=0) * 2 * compute / 4
        tape.flowing = True
    tape.end()
    return compute


@lru_cache(maxsize=8)
def _built(kind: str, settings: str) -> Any:
    import json

    import torch
    from transformers import AutoConfig, AutoModel

    import skymoe.models.skymoe  # noqa: F401  (registers the small tower)

    with torch.device("meta"):
        return AutoModel.from_config(AutoConfig.for_model(kind, **json.loads(settings)))


def _tower(model: Architecture) -> Any:
    import json

    vision = dict((model.config or {}).get("vision_config") or {})
    for name in ("model_type", "dtype", "torch_dtype"):  # in float32, the format that pictures come in
        vision.pop(name, None)
    return _built(model.tower.kind, json.dumps(vision, sort_keys=True))


def configuration(model: Architecture) -> Any:
    """The model's `SkyMoeConfig`; a token outside the vocabulary cannot stand for pictures, so the last one does."""
    from skymoe.models.skymoe import SkyMoeConfig

    changed = {"model_type", "architectures", "transformers_version", "dtype", "torch_dtype", "auto_map"}
    settings = {key: value for key, value in (model.config or {}).items() if key not in changed}
    for part in ("text_config", "vision_config"):
        settings[part] = {
            key: value for key, value in (settings.get(part) or {}).items() if "dtype" not in key
        }
    config = SkyMoeConfig(**settings | {"num_experts": model.experts, "image_seq_length": model.image_tokens})
    if config.image_token_id >= model.decoder.vocabulary:
        config.image_token_id = model.decoder.vocabulary - 1
    return config


__all__ = ["configuration", "feature_width", "model_weights", "tower_weights", "walk_tower"]
