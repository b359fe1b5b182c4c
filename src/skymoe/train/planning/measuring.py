"""FLOP/s that this machine really does in training, by timing two layers of the planned model. Loads torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from skymoe.errors import UserError

from .architecture import Architecture
from .memory import Estimator, Layout
from .stage import PRECISIONS, StageSettings
from .units import show_gib

if TYPE_CHECKING:
    import torch

SECONDS = 3.0  # of steps that are timed
CPU_TOKENS = 256  # a laptop's rate shows in few tokens; a GPU's only in many


def measured_rate(stage: StageSettings) -> tuple[float, str]:
    """(FLOP/s, where from) of training steps of the model's first two decoder layers, where memory holds them.

    Both layers, their routing and their backward pass are the real ones; the optimizer's step and the traffic between
    GPUs are not in it.

    Raises:
        UserError: the two layers do not fit into this machine.
    """
    import torch
    from transformers import AutoModel

    stage = stage.single
    model = stage.architecture
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    precision = PRECISIONS["pure-bf16" if on_gpu else "fp32"]
    layers = min(2, model.decoder.layers)
    small = replace(
        model,
        decoder=replace(model.decoder, layers=layers),
        expert_layers=tuple(layer for layer in model.expert_layers if layer < layers),
    )
    tokens = max(1, stage.tokens) if on_gpu else min(CPU_TOKENS, max(1, stage.tokens))
    batch = max(1, 8192 // tokens) if on_gpu else 1
    alike = replace(
        stage, architecture=replace(small, image_tokens=0), text_tokens=tokens, answer_tokens=1, lora=None,
        trains=None, frozen=(), precision=precision, batch_size=batch, padded=False, tower_only=False,
    )  # fmt: skip
    _refuse_too_large(alike, batch, device)
    config = _text_config(small)
    torch.manual_seed(0)
    with torch.device(device):
        decoder = AutoModel.from_config(config, dtype=torch.bfloat16 if on_gpu else torch.float32)
        _put_experts(decoder, small, config)
    decoder.to(device, torch.bfloat16 if on_gpu else torch.float32).train()
    hidden = torch.randn(
        batch, tokens, model.decoder.hidden, device=device, dtype=next(decoder.parameters()).dtype
    )
    hidden.requires_grad_()

    def step() -> None:
        decoder(inputs_embeds=hidden, use_cache=False).last_hidden_state.sum().backward()
        decoder.zero_grad(set_to_none=True)
        hidden.grad = None

    seconds = _timed(step, on_gpu)
    blocks = Estimator(alike).blocks(Layout("ddp", 1))
    # The first layer's input has a gradient here, which in the walk's model it might not: three passes of everything.
    flop = 3 * batch * sum(block.forward for block in blocks if block.name.startswith("layer"))
    where = torch.cuda.get_device_name() if on_gpu else f"this CPU, {torch.get_num_threads()} threads"
    return flop / seconds, f"measured on {where}"


def _timed(step: Callable[[], None], on_gpu: bool) -> float:
    """Seconds of a step, by the best of what fits into SECONDS; the first is not counted."""
    import torch

    def once() -> float:
        start = perf_counter()
        step()
        if on_gpu:
            torch.cuda.synchronize()
        return perf_counter() - start

    once()
    taken = [once()]
    while sum(taken) < SECONDS:
        taken.append(once())
    return min(taken)


def _refuse_too_large(stage: StageSettings, batch: int, device: torch.device) -> None:
    import os

    import torch

    if device.type == "cuda":
        free = torch.cuda.mem_get_info()[0]
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    precision = stage.precision
    estimator = Estimator(stage)
    held = estimator.held.weights
    blocks = estimator.blocks(Layout("ddp", 1))
    needed = held * (precision.trained + precision.gradient) + batch * sum(block.saved for block in blocks)
    if needed > free:
        raise UserError(
            f"--measure needs {show_gib(needed)} for two layers of {stage.architecture.name}, {show_gib(free)} are "
            "free: give --flops or --gpu"
        )


def _text_config(model: Architecture) -> object:
    from transformers import AutoConfig

    text = dict((model.config or {}).get("text_config") or {})
    kind = text.pop("model_type", model.decoder.kind)
    return AutoConfig.for_model(
        kind, **text | {"num_hidden_layers": model.decoder.layers, "layer_types": None}
    )


def _put_experts(decoder: object, model: Architecture, text: object) -> None:
    from types import SimpleNamespace

    from skymoe.models.moe import SparseMoeBlock

    settings = SimpleNamespace(
        text_config=text,
        num_experts=model.experts,
        num_experts_per_tok=model.top_k,
        norm_topk_prob=True,
        router_conditioning=None,
        _experts_implementation="grouped_mm",
    )
    for layer in model.expert_layers:
        decoder.layers[layer].mlp = SparseMoeBlock(settings)  # type: ignore[attr-defined]
