"""Sequences under decoding: R rows that continue remembered prefixes, each as if it were alone.

Shapes: R rows, S new tokens, L slots used so far, N looked-ahead tokens, D hidden size, V vocabulary, H heads.
Questions of different lengths are padded on the left, between prefix and question; the padding is masked out and the
positions skip it, so that a row's numbers are those of the plain, unpadded sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from skymoe.models.moe import TokenRouter


@dataclass(frozen=True)
class Prefix:
    """What the decoder remembers of one picture: per layer the keys and values (1, H, P, head size)."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    instruction: Tensor | None = None  # (1, D), for routers that read the instruction

    @property
    def length(self) -> int:
        return self.keys[0].shape[2]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))


class Decoder:
    """The language model below the generation interface: embeddings in, hidden states and logits out."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.language_model = model.model.language_model
        self.embed = model.get_input_embeddings()
        self.head = model.lm_head
        self.routers = [module for module in model.modules() if isinstance(module, TokenRouter)]

    @property
    def device(self) -> torch.device:
        return self.embed.weight.device

    @property
    def conditioned(self) -> bool:
        """Whether the routers read the instruction: then a prefix belongs to one question only."""
        return any(router.instruction_weight is not None for router in self.routers)

    def hidden(self, embeds_RSD: Tensor, instruction_RD: Tensor | None, **inputs: Any) -> Tensor:
        """Last hidden states (R, S, D)."""
        for router in self.routers:
            router.instruction_BD = instruction_RD
        return self.language_model(inputs_embeds=embeds_RSD, use_cache=True, **inputs).last_hidden_state

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits in float32, whatever the model's dtype: probabilities are summed up over many tokens."""
        return self.head(hidden).float()


class _Room(CacheLayerMixin):
    """One layer's keys and values, with room for what is to come: a step writes its token and copies nothing."""

    def __init__(self, keys: Sequence[Tensor], values: Sequence[Tensor], room: int) -> None:
        super().__init__()
        self.used = keys[0].shape[2]
        self.keys, self.values = self._reserve(keys, room), self._reserve(values, room)
        self.is_initialized = True

    def _reserve(self, parts: Sequence[Tensor], room: int) -> Tensor:
        _, heads, length, size = parts[0].shape
        space = parts[0].new_empty(len(parts), heads, length + room, size)
        for row, part in enumerate(parts):
            space[row, :, :length] = part[0]
        return space

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is left to do: the prefix is there from the beginning."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        end = self.used + key_states.shape[2]
        self.keys[:, :, self.used : end] = key_states
        self.values[:, :, self.used : end] = value_states
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: Tensor, since: int) -> None:
        if since and len(rows) == len(self.keys):
            self.keys[:, :, since : self.used] = self.keys[rows, :, since : self.used]
            self.values[:, :, since : self.used] = self.values[rows, :, since : self.used]
        else:
            self.keys, self.values = self.keys[rows], self.values[rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        return self.used

    def get_max_length(self) -> int:
        return self.keys.shape[2]


class Rows:
    """R rows that start from ``prefixes`` (all of one length), with room for ``room`` more tokens each."""

    def __init__(self, decoder: Decoder, prefixes: Sequence[Prefix], room: int) -> None:
        self.decoder = decoder
        start = prefixes[0].length
        assert all(prefix.length == start for prefix in prefixes), (
            "rows of one batch start from equal lengths"
        )
        self.layers = [
            _Room([prefix.keys[n] for prefix in prefixes], [prefix.values[n] for prefix in prefixes], room)
            for n in range(len(prefixes[0].keys))
        ]
        self.cache = Cache(layers=list(self.layers))
        device = decoder.device
        self.visible_RL = torch.zeros(len(prefixes), start + room, dtype=torch.bool, device=device)
        self.visible_RL[:, :start] = True
        self.position_R = torch.full((len(prefixes),), start, device=device)
        given = [prefix.instruction for prefix in prefixes if prefix.instruction is not None]
        self.instruction_RD = torch.cat(given) if given else None

    @property
    def used(self) -> int:
        """Slots used so far, L."""
        return self.layers[0].used

    def read(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Append each row's tokens (at least one); logits (R, V) of what comes next."""
        longest = max(map(len, tokens))
        device = self.decoder.device
        ids_RS = torch.tensor([[0] * (longest - len(row)) + list(row) for row in tokens], device=device)
        pads_R1 = torch.tensor([[longest - len(row)] for row in tokens], device=device)
        slots_S = torch.arange(longest, device=device)
        positions_RS = self.position_R[:, None] + (slots_S - pads_R1).clamp(min=0)
        end = self.used + longest
        self.visible_RL[:, self.used : end] = slots_S >= pads_R1
        causal_SL = torch.arange(end, device=device) <= self.used + slots_S[:, None]
        mask_RSL = self.visible_RL[:, None, :end] & causal_SL
        hidden_RSD = self._run(ids_RS, positions_RS, mask_RSL)
        self.position_R = positions_RS[:, -1] + 1
        return self.decoder.logits(hidden_RSD[:, -1])

    def look(self, ids_N: Tensor, depth_N: Tensor, sees_NN: Tensor) -> Tensor:
        """Hidden states (R, N, D) of N tokens tried out after every row; the rows stay where they were.

        Each token sees its row and those of the N that ``sees_NN`` says; ``depth_N`` of them come before it.
        """
        count, start = len(ids_N), self.used
        rows = len(self.position_R)
        ids_RN = ids_N.expand(rows, count)
        positions_RN = self.position_R[:, None] + depth_N
        past_RNL = self.visible_RL[:, None, :start].expand(rows, count, start)
        hidden_RND = self._run(
            ids_RN, positions_RN, torch.cat([past_RNL, sees_NN.expand(rows, count, count)], dim=-1)
        )
        for layer in self.layers:
            layer.used = start
        return hidden_RND

    def select(self, rows: Sequence[int], since: int = 0) -> None:
        """Go on with these rows, in this order, repeated or dropped; slots before ``since`` are known to be equal."""
        if list(rows) == list(range(len(self.position_R))):
            return
        index = torch.tensor(rows, device=self.decoder.device)
        for layer in self.layers:
            layer.select(index, since)
        self.visible_RL, self.position_R = self.visible_RL[index], self.position_R[index]
        if self.instruction_RD is not None:
            self.instruction_RD = self.instruction_RD[index]

    def _run(self, ids_RS: Tensor, positions_RS: Tensor, mask_RSL: Tensor) -> Tensor:
        return self.decoder.hidden(
            self.decoder.embed(ids_RS),
            self.instruction_RD,
            position_ids=positions_RS,
            attention_mask=mask_RSL[:, None],
            past_key_values=self.cache,
        )
