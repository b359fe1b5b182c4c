"""E sets of low-rank weights on one linear layer, so that all experts run as one batch over shared weights.

Shapes: B rows of the batch, E experts, S sequence, r rank. The experts of a row lie side by side: stream b·E + e.
PEFT's mixed-adapter batches refuse to train, and inference should need no PEFT; a test holds this equal to PEFT's LoRA.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers import initialization as init


class AdaptedLinear(nn.Linear):
    """y = W x + b + α/r · B_e A_e x for the stream of expert e (Hu et al. 2022, Eq. 3); starts as the layer it adapts.

    `lora_a` (E, r, in) is random, `lora_b` (E, out, r) zero. The shared `weight` and `bias` keep their names, so that
    the checkpoint of the plain decoder fits.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, experts: int, rank: int, alpha: float) -> None:
        super().__init__(inputs, outputs, bias)
        self.experts = experts
        self.scaling = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(experts, rank, inputs))
        self.lora_b = nn.Parameter(torch.empty(experts, outputs, rank))
        self.reset_adapters()

    def reset_adapters(self) -> None:
        """A random as a linear layer's weight, B zero; what `from_pretrained` has read is left alone."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.lora_a, -bound, bound)
        init.zeros_(self.lora_b)

    def forward(self, x: Tensor) -> Tensor:
        """(B·E, S, in) → (B·E, S, out)."""
        y = super().forward(x)
        x_BESI = x.unflatten(0, (-1, self.experts))
        # Scaled where it is narrow: twenty times fewer numbers than the wide output.
        low_BESR = self.scaling * (x_BESI @ self.lora_a.transpose(1, 2))
        return y + (low_BESR @ self.lora_b.transpose(1, 2)).flatten(0, 1)


def adapt(decoder: nn.Module, targets: Iterable[str], experts: int, rank: int, alpha: float) -> list[str]:
    """Replace the linear layers whose last name is in `targets` by adapted ones; returns their full names.

    Raises:
        ValueError: a target is no `nn.Linear` of this decoder.
    """
    wanted = set(targets)
    places = [
        (name, module)
        for name, module in decoder.named_modules()
        if name.rpartition(".")[2] in wanted and isinstance(module, nn.Linear)
    ]
    if missing := sorted(wanted - {name.rpartition(".")[2] for name, _ in places}):
        linear = sorted(
            {name.rpartition(".")[2] for name, m in decoder.named_modules() if isinstance(m, nn.Linear)}
        )
        raise ValueError(f"lora_targets: the decoder has no linear layer {missing[0]!r}; it has {linear}")
    for name, old in places:
        with torch.device(old.weight.device):
            new = AdaptedLinear(old.in_features, old.out_features, old.bias is not None, experts, rank, alpha)
        new.weight, new.bias = old.weight, old.bias
        parent, _, last = name.rpartition(".")
        setattr(decoder.get_submodule(parent), last, new)
    return [name for name, _ in places]


__all__ = ["AdaptedLinear", "adapt"]
