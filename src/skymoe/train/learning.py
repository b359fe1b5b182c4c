"""What of a model learns in a stage, how fast, and what of it has to be kept to go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from skymoe.errors import UserError
from skymoe.models.whole_weights import check_finite

from .adapters import add_adapters
from .recipe_stages import ConversationStage, DenseStage, ExpertStage, LoraStage

# The parts of nano's tower that stages with a decoder leave as they are, unless `tower_learning_rate` says otherwise.
TAUGHT_BEFORE = ("stem", "stages", "head", "grid", "summary.scene", "summary.word")
TOWER = "model.vision_tower."


def rates(stage: ConversationStage, tower: str) -> Callable[[str], float]:
    """The learning rate of a parameter by its name; 0 where it is frozen. `tower` is the vision tower's model type."""
    if isinstance(stage, DenseStage):
        # What nano's tower learnt before; its few new layers learn with the decoder. Any other tower is frozen whole.
        parts = TAUGHT_BEFORE if tower == "efficientnet_lite_vision" else ("",)
        taught = tuple(TOWER + part for part in parts)

        def of_dense(name: str) -> float:
            if name.startswith(taught):
                return stage.tower_learning_rate
            return stage.learning_rate if _named(name, stage.train or [""]) else 0.0

        return of_dense
    assert isinstance(stage, (LoraStage, ExpertStage))
    return lambda name: stage.learning_rate if "lora_" in name or _named(name, stage.train) else 0.0


def prepare(stage: ConversationStage, model: nn.Module, rate_of: Callable[[str], float], seed: int) -> Any:
    """Freeze what does not learn, add adapters (drawn from `seed`) if the stage has any; returns their tuner or None.

    Raises:
        UserError: nothing of the model would learn.
    """
    lora = getattr(stage, "lora", None)
    tuner = None
    if lora is not None:
        torch.manual_seed(seed)
        tuner = add_adapters(model, lora)
    learns = False
    for name, parameter in list(model.named_parameters()):
        parameter.requires_grad_(rate_of(name) > 0)
        learns = learns or parameter.requires_grad
        if parameter.requires_grad and parameter.dtype != torch.float32:
            _to_float32(model, parameter)
    if not learns:
        raise UserError(
            f"stage {stage.name!r}: train={getattr(stage, 'train', [])} names no parameter of the model; write for "
            'example ".mlp." or "multi_modal_projector"'
        )
    return tuner


def _to_float32(model: nn.Module, parameter: nn.Parameter) -> None:
    """Steps of the usual size are lost among bfloat16's 8 bits."""
    if not isinstance(parameter.data, DTensor):
        parameter.data = parameter.data.float()
        return
    # The data of a sharded parameter can't change their type; FSDP takes what stands in its modules before the first
    # forward pass.
    raised = nn.Parameter(parameter.detach().float())
    for module in model.modules():
        for name, held in module._parameters.items():
            if held is parameter:
                module._parameters[name] = raised


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """What learns, whole and on the CPU. Sharded parameters are gathered: all processes must call."""
    state = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            whole = parameter.detach()
            if isinstance(whole, DTensor):
                whole = whole.full_tensor()
            state[name] = whole.cpu().contiguous()
    return state


def load_trained(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Put what `trained_state` gave into a model prepared in the same way.

    Raises:
        UserError: other parameters learn in this model than in that of `source`, or its weights are not finite.
    """
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if odd := sorted(learning.keys() ^ state.keys()):
        raise UserError(
            f"{source} is of another stage: {odd[0]} learns in one of them alone; put the recipe back, or choose "
            "another output"
        )
    if wrong := [name for name, parameter in learning.items() if state[name].shape != parameter.shape]:
        raise UserError(
            f"{source} is of another model: {wrong[0]} has shape {tuple(state[wrong[0]].shape)} there, here "
            f"{tuple(learning[wrong[0]].shape)}; put the recipe back, or choose another output"
        )
    check_finite(state.items(), source)
    with torch.no_grad():
        for name, parameter in learning.items():
            whole: Tensor = state[name].to(parameter.device, parameter.dtype)
            if isinstance(parameter.data, DTensor):
                whole = distribute_tensor(whole, parameter.data.device_mesh, parameter.data.placements)
            parameter.data.copy_(whole)


def _named(name: str, parts: list[str]) -> bool:
    return any(part in name for part in parts)
