"""Low-rank adapters by PEFT, put into the decoder in place: the model stays the class that it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skymoe.errors import UserError

from .recipe_stages import EXPERT_TARGETS, Lora

NAME = "default"


def add_adapters(model: nn.Module, lora: Lora) -> Any:
    """Freeze the model and give it adapters that learn; returns PEFT's tuner, for `merge`.

    Raises:
        UserError: PEFT is not installed, or a target is no module of this model's decoder.
    """
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise UserError("LoRA needs peft: pip install 'skymoe[train]'") from error
    decoder = "model.language_model.layers."
    modules = [name for name, _ in model.named_modules() if name.startswith(decoder)]
    parameters = [name for name, _ in model.named_parameters() if name.startswith(decoder)]
    linear: list[str] = []
    stacked: list[str] = []
    for target in lora.names:
        found = [
            name
            for name in (parameters if target in EXPERT_TARGETS else modules)
            if name.endswith(f".{target}")
        ]
        # "linear" asks for what there is: a decoder whose every FFN is a mixture has no gate_proj.
        if not found and lora.targets != "linear":
            raise UserError(f"lora.targets: the model's decoder has no {target}")
        (stacked if target in EXPERT_TARGETS else linear).extend(found)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=linear,
        target_parameters=stacked or None,
    )
    tuner = LoraModel(model, config, NAME)
    for parameter in model.parameters():
        # Steps of the usual size are lost among bfloat16's 8 bits; PEFT's own models cast their adapters, too.
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return tuner


def merge(tuner: Any) -> Any:
    """The model with its adapters added into its weights, and no trace of them left."""
    with torch.no_grad():
        return tuner.merge_and_unload(safe_merge=True)
