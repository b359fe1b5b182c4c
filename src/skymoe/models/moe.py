"""The sparse feed-forward block of SkyMoE: token router, experts and balance loss. Nothing here knows about vision.

Shapes: B batch, S sequence, T = B·S tokens, D hidden size, F expert width, E experts, K experts chosen per token.
Equations are those of the SkyMoE paper; where the paper contradicts itself, `docs/decisions.md` says how it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.integrations import use_experts_implementation

# The list that collects each router's logits while `record_routing` is active; per thread, so servers may overlap.
_recorder: ContextVar[list[Tensor] | None] = ContextVar("skymoe_router_logits", default=None)


@contextmanager
def record_routing() -> Iterator[list[Tensor]]:
    """Collect the router logits (T, E), float32, of every MoE layer that runs inside the block, in layer order."""
    collected: list[Tensor] = []
    token = _recorder.set(collected)
    try:
        yield collected
    finally:
        _recorder.reset(token)


class TokenRouter(nn.Module):
    """Scores every token against every expert and keeps the best K (Eq. 3 and 4).

    P(x) = softmax(W x) over the E experts, in float32 whatever the model's dtype, without bias (Eq. 3). The K
    largest probabilities weight the experts' outputs (Eq. 4). They are renormalised to sum to one by default, so that
    K cloned experts equal the dense FFN they were cloned from; `normalize=False` is Eq. 4 as printed.

    With `conditioned=True` a second bias-free projection adds a term from the pooled instruction, the same for all
    tokens of a sample: the "task- and granularity-aware" routing that the abstract claims. It starts at zero.
    """

    def __init__(
        self,
        hidden_size: int,
        num_experts: int,
        top_k: int,
        *,
        normalize: bool = True,
        conditioned: bool = False,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.normalize = normalize
        self.init_std = init_std
        self.weight = nn.Parameter(torch.empty(num_experts, hidden_size))
        self.instruction_weight: nn.Parameter | None = None
        if conditioned:
            self.instruction_weight = nn.Parameter(torch.empty(num_experts, hidden_size))
        self.reset_parameters()
        # Set by the model before each forward pass (B, D). An attribute and not an argument, because the library's
        # decoder layers call their FFN with the hidden states alone; it survives until the backward pass, so that
        # gradient checkpointing recomputes the same routing.
        self.instruction_BD: Tensor | None = None

    def reset_parameters(self) -> None:
        """Random router, instruction term zero; weights that `from_pretrained` has read are left alone."""
        init.normal_(self.weight, std=self.init_std)
        if self.instruction_weight is not None:
            init.zeros_(self.instruction_weight)

    def forward(self, x_BSD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (T, E) in float32, weights (T, K) in the dtype of `x_BSD`, expert indices (T, K)."""
        # Autocast would turn the float32 projection back into bfloat16, and a rounded logit into another expert.
        with torch.autocast(x_BSD.device.type, enabled=False):
            logits_BSE = F.linear(x_BSD.float(), self.weight.float())
            if self.instruction_weight is not None and self.instruction_BD is not None:
                term_BE = F.linear(self.instruction_BD.float(), self.instruction_weight.float())
                logits_BSE = logits_BSE + term_BE[:, None, :]
        logits_TE = logits_BSE.flatten(0, 1)
        weights_TK, experts_TK = logits_TE.softmax(dim=-1).topk(self.top_k, dim=-1)
        if self.normalize:
            weights_TK = weights_TK / weights_TK.sum(dim=-1, keepdim=True)
        return logits_TE, weights_TK.to(x_BSD.dtype), experts_TK


@use_experts_implementation
class Experts(nn.Module):
    """E gated FFNs with their weights stacked in 3-D tensors: down(act(gate x) · up x).

    The decorator swaps `forward` for the library's batched or grouped kernels by `config._experts_implementation`;
    the loop below is the readable reference ("eager"). Its signature and attribute names are what those kernels expect.
    "batched_mm" copies the weights of each (token, choice) pair, T·K·3·D·F numbers: fast for decoding a few tokens, but
    a prompt of 1,360 tokens of the 7B model would take hundreds of gigabytes; the default, "grouped_mm", copies none.
    """

    def __init__(self, config: Any, num_experts: int, hidden_size: int, width: int, activation: str) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.gate_up_proj = nn.Parameter(torch.empty(num_experts, 2 * width, hidden_size))
        self.down_proj = nn.Parameter(torch.empty(num_experts, hidden_size, width))
        self.act_fn = ACT2FN[activation]
        self.init_std = config.text_config.initializer_range
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Random experts; weights that `from_pretrained` has read are left alone."""
        for weight in (self.gate_up_proj, self.down_proj):
            init.normal_(weight, std=self.init_std)

    def forward(self, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
        """(T, D), (T, K), (T, K) → (T, D): the weighted sum of the chosen experts' outputs (Eq. 2)."""
        out_TD = torch.zeros_like(hidden_states)
        for expert in top_k_index.unique().tolist():
            if expert >= self.num_experts:  # expert parallelism marks the tokens of other ranks this way
                continue
            token, slot = torch.where(top_k_index == expert)
            gate, up = F.linear(hidden_states[token], self.gate_up_proj[expert]).chunk(2, dim=-1)
            y = F.linear(self.act_fn(gate) * up, self.down_proj[expert])
            out_TD.index_add_(0, token, (y * top_k_weights[token, slot, None]).to(out_TD.dtype))
        return out_TD


class SparseMoeBlock(nn.Module):
    """Takes the place of a decoder layer's FFN: every token passes through the K experts that its router chose."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        text = config.text_config
        self.router = TokenRouter(
            text.hidden_size,
            config.num_experts,
            config.num_experts_per_tok,
            normalize=config.norm_topk_prob,
            conditioned=config.router_conditioning == "instruction",
            init_std=text.initializer_range,
        )
        # Gemma calls it otherwise.
        activation = getattr(text, "hidden_act", None) or text.hidden_activation
        self.experts = Experts(
            config, config.num_experts, text.hidden_size, text.intermediate_size, activation
        )

    def forward(self, x_BSD: Tensor) -> Tensor:
        logits_TE, weights_TK, experts_TK = self.router(x_BSD)
        if (collected := _recorder.get()) is not None:
            collected.append(logits_TE)
        return self.experts(x_BSD.flatten(0, 1), experts_TK, weights_TK).view_as(x_BSD)


def balance_loss(logits_TE: Tensor, token_mask_T: Tensor | None = None) -> Tensor:
    """Load-balancing loss of one MoE layer (Eq. 7 and 8, with the sum of Eq. 8 running over tokens, not experts).

    L = E · Σ_i F_i G_i with F_i the fraction of tokens whose first choice is expert i and G_i the mean probability of
    expert i. 1.0 at perfect balance, E when one expert takes everything; gradients flow through G alone. Tokens whose
    mask is False (padding) count in neither. (Transformers' own loss counts all K choices: its balanced value is K.)
    """
    num_experts = logits_TE.shape[-1]
    probs_TE = logits_TE.float().softmax(dim=-1)
    first_TE = F.one_hot(probs_TE.argmax(dim=-1), num_experts).to(probs_TE.dtype)
    if token_mask_T is None:
        return num_experts * (first_TE.mean(dim=0) * probs_TE.mean(dim=0)).sum()
    weight_T1 = token_mask_T.reshape(-1, 1).to(probs_TE.dtype)
    count = weight_T1.sum().clamp(min=1.0)
    return (
        num_experts * ((first_TE * weight_T1).sum(0) / count * ((probs_TE * weight_T1).sum(0) / count)).sum()
    )


def total_balance_loss(
    logits: Sequence[Tensor], token_mask: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """`balance_loss` over all MoE layers, averaged (the default: balanced value 1 for any depth) or summed."""
    losses = torch.stack([balance_loss(layer, token_mask) for layer in logits])
    return losses.sum() if reduction == "sum" else losses.mean()


def expert_load(logits_TE: Tensor, top_k: int, token_mask_T: Tensor | None = None) -> Tensor:
    """Share (E,) of all routed (token, choice) pairs that each expert receives; sums to 1."""
    chosen_TK = logits_TE.topk(top_k, dim=-1).indices
    if token_mask_T is not None:
        chosen_TK = chosen_TK[token_mask_T.reshape(-1).bool()]
    counts = torch.bincount(chosen_TK.flatten(), minlength=logits_TE.shape[-1]).float()
    return counts / counts.sum().clamp(min=1.0)
