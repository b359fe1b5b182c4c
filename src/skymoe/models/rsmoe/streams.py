"""One decoder run by E experts at once, seen from outside as one language model.

Shapes: B rows, E experts, S new tokens, L tokens seen, D hidden size, H key heads, d head size. Inside, the decoder has
B·E streams (b·E + e); outside, a cache holds (B, E·H, L, d), so that searches which select, repeat or reorder rows need
to know nothing of experts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast

from ..cache_name import cached
from ..fitness import readable_mask
from .adapters import adapt
from .configuration_rsmoe import RsMoeConfig


class _Unfolded(Cache):
    """A folded cache as the decoder's streams see it. It shares the layers of the cache that it shows."""

    def __init__(self, folded: Cache, experts: int) -> None:
        self.__dict__ |= folded.__dict__  # the very list of layers: those made lazily appear in both
        self.folded, self.experts = folded, experts

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        whole = (
            states.unflatten(0, (-1, self.experts)).flatten(1, 2) for states in (key_states, value_states)
        )
        keys, values = self.folded.update(*whole, layer_idx, *args, **kwargs)
        return self._streams(keys), self._streams(values)

    def _streams(self, states: Tensor) -> Tensor:
        return states.unflatten(1, (self.experts, -1)).flatten(0, 1)


class ExpertDecoder(nn.Module):
    """The base decoder `decoder` with E adapters; called like any Transformers decoder, with embeddings.

    `streams` is E, or 1 in stage I, where this is the plain decoder.
    """

    def __init__(self, config: RsMoeConfig) -> None:
        super().__init__()
        self.streams = config.streams
        self.decoder = AutoModel.from_config(config.text_config)
        if config.num_experts:
            adapt(self.decoder, config.lora_targets, config.num_experts, config.lora_rank, config.lora_alpha)

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        use_cache: bool = False,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Last hidden states (B, S, E, D) and the folded cache.

        Args:
            inputs_embeds: (B, S, D), the same for all experts, or (B, E, S, D).
            attention_mask: (B, L) of 0/1 or (B, 1, S, L), the same for all experts; or (B, E, L), (B, E, S, L).
            position_ids: (B, S) or (B, E, S).
            cache: keys and values (B, E·H, L, d) a layer, such as an empty `DynamicCache`.
        """
        if inputs_embeds.dim() == 3:
            inputs_embeds = inputs_embeds[:, None].expand(-1, self.streams, -1, -1)
        if use_cache and cache is None:
            cache = DynamicCache(config=self.decoder.config)
        inner: Cache | None = cache
        if cache is not None and self.streams > 1:
            inner = _Unfolded(cache, self.streams)
        outputs = self.decoder(
            inputs_embeds=inputs_embeds.flatten(0, 1),
            attention_mask=readable_mask(self._mask(attention_mask), self.decoder),
            position_ids=None if position_ids is None else self._each(position_ids, 2),
            use_cache=use_cache,
            **cached(inner),
            **kwargs,
        )
        return BaseModelOutputWithPast(
            last_hidden_state=outputs.last_hidden_state.unflatten(0, (-1, self.streams)).transpose(1, 2),
            **cached(cache),
        )

    def _each(self, given: Tensor, plain: int) -> Tensor:
        """One row for each stream, of a tensor with `plain` dimensions or with the experts' as second one more."""
        if given.dim() > plain:
            return given.expand(-1, self.streams, *given.shape[2:]).flatten(0, 1)
        return given.repeat_interleave(self.streams, dim=0)

    def _mask(self, mask: Tensor | None) -> Tensor | None:
        if mask is None:
            return None
        if mask.dim() == 4:
            return mask.expand(-1, self.streams, -1, -1).flatten(0, 1)[:, None]
        return self._each(mask, 2)


def mixture(logits_BSEV: Tensor, weights_BE: Tensor) -> Tensor:
    """log Σ_e w_e softmax(logits_e), float32: (…, E, V) and weights (B, E) or (…, E) → (…, V).

    The experts' answers are combined token by token; one expert of weight 1 gives its own log-probabilities.
    """
    log_p = logits_BSEV.float().log_softmax(dim=-1)
    if log_p.shape[-2] == 1:
        return log_p[..., 0, :]
    weights = weights_BE.float().clamp(min=torch.finfo(torch.float32).tiny)
    while weights.dim() < log_p.dim() - 1:
        weights = weights.unsqueeze(1)
    return torch.logsumexp(log_p + weights.log()[..., None], dim=-2)


__all__ = ["ExpertDecoder", "mixture"]
