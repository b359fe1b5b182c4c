"""The layers that `moe_layer.py` compares: one set of random weights seen through each implementation.

All mixtures share their weights' memory (at hidden 4096 one copy in float32 is 4.3 GB), so a comparison of outputs is
a comparison of arithmetic alone. Shapes: T tokens, D hidden size, F expert width, E experts, K experts per token.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, MixtralConfig
from transformers.models.llama.modeling_llama import LlamaMLP
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

from skymoe.models.moe import SparseMoeBlock
from skymoe.models.skymoe import SkyMoeConfig

EXPERTS, TOP_K = 8, 2
KERNELS = ("eager", "grouped_mm", "batched_mm")
# Widths of models in use: nano 320 → 640, SmolLM2-135M 576 → 1536, LLaVA-1.5-7B 4096 → 11008.
WIDTHS = {320: 640, 576: 1536, 1024: 2816, 4096: 11008}
# "amp" is how `skymoe train` computes on CPUs with bfloat16 instructions: float32 weights under autocast.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "amp": torch.float32}


def width_for(hidden: int) -> int:
    """Width of one expert: of a known model, else about 8/3 of the hidden size."""
    return WIDTHS.get(hidden, max(16, round(hidden * 8 / 3 / 16) * 16))


def _llama(hidden: int, width: int) -> LlamaConfig:
    # One head, which no layer here has, but the configuration insists that the hidden size divides by it.
    return LlamaConfig(hidden_size=hidden, intermediate_size=width, num_attention_heads=1)


def autocast(dtype: str) -> AbstractContextManager:
    return torch.autocast("cpu", torch.bfloat16) if dtype == "amp" else nullcontext()


@dataclass
class Layer:
    """One implementation: `run` maps (1, T, D) to (1, T, D)."""

    name: str
    run: Callable[[Tensor], Tensor]
    parameters: list[nn.Parameter]
    kernel: str
    route: Callable[[Tensor], Tensor] | None = None  # expert indices (T, K), where it has a router of its own
    skipped: dict[str, str] = field(default_factory=dict)  # pass → why it is not measured


@dataclass
class Weights:
    """Random weights whose outputs and router logits are of order one."""

    hidden: int
    width: int
    dtype: str
    seed: int = 0

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        D, F = self.hidden, self.width

        def random(*shape: int, fan_in: int) -> nn.Parameter:
            bound = (3 / fan_in) ** 0.5
            return nn.Parameter(
                torch.empty(shape, dtype=DTYPES[self.dtype]).uniform_(-bound, bound, generator=generator)
            )

        self.router = random(EXPERTS, D, fan_in=D)
        self.gate_up = random(EXPERTS, 2 * F, D, fan_in=D)
        self.down = random(EXPERTS, D, F, fan_in=F)
        # The dense layer does the same arithmetic for each token: K experts wide.
        self.dense = [random(TOP_K * F, D, fan_in=D) for _ in range(2)]
        self.dense.append(random(D, TOP_K * F, fan_in=TOP_K * F))

    @property
    def expert_bytes(self) -> int:
        return self.gate_up.nbytes + self.down.nbytes

    def tokens(self, count: int) -> Tensor:
        """Inputs (1, T, D) of unit variance, the same for the same count."""
        generator = torch.Generator().manual_seed(self.seed + count)
        return torch.randn(1, count, self.hidden, generator=generator).to(DTYPES[self.dtype])

    def extra_bytes(self, kernel: str, backward: bool, tokens: int) -> int:
        """Memory beyond the weights that a pass takes at its peak, estimated from what the kernel allocates."""
        rows = tokens * TOP_K
        activations = rows * (4 * self.width + 3 * self.hidden) * self.gate_up.element_size()
        if kernel == "batched_mm":  # every (token, expert) pair gets a copy of its expert
            gathered = rows * self.expert_bytes // EXPERTS
            return activations + gathered * (2 if backward else 1) + self.expert_bytes * backward
        if not backward:
            return activations
        if kernel == "eager":
            # A slice's gradient is a whole tensor of zeros around it, added to the sum so far.
            return 2 * activations + self.expert_bytes + self.gate_up.nbytes
        return 2 * activations + self.expert_bytes


def build_layers(
    weights: Weights, kernels: tuple[str, ...] = KERNELS, *, deepspeed: bool = False
) -> list[Layer]:
    """The dense layer first, then the mixtures; the first mixture is the one that the others must equal."""
    layers = [_dense(weights)]
    layers += [_skymoe(weights, kernel) for kernel in kernels]
    layers += [_mixtral(weights, kernel) for kernel in kernels]
    if deepspeed:
        layers.append(_deepspeed(weights))
    return layers


def _dense(weights: Weights) -> Layer:
    config = _llama(weights.hidden, TOP_K * weights.width)
    with torch.device("meta"):
        block = LlamaMLP(config)
    for linear, weight in zip((block.gate_proj, block.up_proj, block.down_proj), weights.dense, strict=True):
        linear.weight = weight
    return Layer("dense", block, list(weights.dense), "dense")


def _skymoe(weights: Weights, kernel: str) -> Layer:
    text = _llama(weights.hidden, weights.width)
    config = SkyMoeConfig(text_config=text, num_experts=EXPERTS, num_experts_per_tok=TOP_K)
    config._experts_implementation = kernel
    with torch.device("meta"):
        block = SparseMoeBlock(config)
    block.router.weight = weights.router
    block.experts.gate_up_proj, block.experts.down_proj = weights.gate_up, weights.down
    return Layer(
        f"skymoe/{kernel}", block, [*block.parameters()], kernel, lambda x_1TD: block.router(x_1TD)[2]
    )


def _mixtral(weights: Weights, kernel: str) -> Layer:
    config = MixtralConfig(
        hidden_size=weights.hidden,
        intermediate_size=weights.width,
        num_local_experts=EXPERTS,
        num_experts_per_tok=TOP_K,
        router_jitter_noise=0.0,
    )
    config._experts_implementation = kernel
    with torch.device("meta"):
        block = MixtralSparseMoeBlock(config)
    block.gate.weight = weights.router
    block.experts.gate_up_proj, block.experts.down_proj = weights.gate_up, weights.down
    return Layer(
        f"mixtral/{kernel}", block, [*block.parameters()], kernel, lambda x_1TD: block.gate(x_1TD)[2]
    )


def _deepspeed(weights: Weights) -> Layer:
    """DeepSpeed's layer without dropped tokens and without noise, else its output would not be the same function."""
    from deepspeed.moe.layer import MoE
    from deepspeed.utils import logger

    logger.setLevel("ERROR")
    config = _llama(weights.hidden, weights.width)
    with torch.device("meta"):
        layer = MoE(
            weights.hidden,
            LlamaMLP(config),
            num_experts=EXPERTS,
            k=TOP_K,
            min_capacity=0,
            drop_tokens=False,
            use_rts=False,
            top2_2nd_expert_sampling=False,
        )
    layer.deepspeed_moe.gate.wg.weight = weights.router
    for index, expert in enumerate(layer.deepspeed_moe.experts.deepspeed_experts):
        gate, up = weights.gate_up.data[index].chunk(2)
        expert.gate_proj.weight = nn.Parameter(gate)
        expert.up_proj.weight = nn.Parameter(up)
        expert.down_proj.weight = nn.Parameter(weights.down.data[index])

    def route(x_1TD: Tensor) -> Tensor:
        return layer.deepspeed_moe.gate(x_1TD.flatten(0, 1), sparse_routes=True)[3].T

    return Layer("deepspeed", lambda x_1TD: layer(x_1TD)[0], [*layer.parameters()], "deepspeed", route)
