"""Sequences under decoding: R rows that continue remembered prefixes, each as if it were alone.

Shapes: R rows, S new tokens, L slots used so far, N looked-ahead tokens, V vocabulary, H heads; "…" as in `decoder.py`.
Questions of different lengths are padded on the left, between prefix and question; the padding is masked out and the
positions skip it, so that a row's numbers are those of the plain, unpadded sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from skymoe.engine.decoder import Decoder, Prefix


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
        given = [prefix.state for prefix in prefixes if prefix.state is not None]
        self.state = torch.cat(given) if given else None

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
        hidden = self._run(ids_RS, positions_RS, mask_RSL)
        self.position_R = positions_RS[:, -1] + 1
        return self.decoder.logits(hidden[:, -1], self.state)

    def look(self, ids_N: Tensor, depth_N: Tensor, sees_NN: Tensor) -> Tensor:
        """Hidden states (R, N, …) of N tokens tried out after every row; the rows stay where they were.

        Each token sees its row and those of the N that ``sees_NN`` says; ``depth_N`` of them come before it.
        """
        count, start = len(ids_N), self.used
        rows = len(self.position_R)
        ids_RN = ids_N.expand(rows, count)
        positions_RN = self.position_R[:, None] + depth_N
        past_RNL = self.visible_RL[:, None, :start].expand(rows, count, start)
        hidden = self._run(
            ids_RN, positions_RN, torch.cat([past_RNL, sees_NN.expand(rows, count, count)], dim=-1)
        )
        for layer in self.layers:
            layer.used = start
        return hidden

    def logits(self, hidden: Tensor, row: int) -> Tensor:
        """Logits (N, V) of what follows tokens that were tried out after a row, from their hidden states (N, …)."""
        return self.decoder.logits(hidden, None if self.state is None else self.state[row : row + 1])

    def select(self, rows: Sequence[int], since: int = 0) -> None:
        """Go on with these rows, in this order, repeated or dropped; slots before ``since`` are known to be equal."""
        if list(rows) == list(range(len(self.position_R))):
            return
        index = torch.tensor(rows, device=self.decoder.device)
        for layer in self.layers:
            layer.select(index, since)
        self.visible_RL, self.position_R = self.visible_RL[index], self.position_R[index]
        if self.state is not None:
            self.state = self.state[index]

    def _run(self, ids_RS: Tensor, positions_RS: Tensor, mask_RSL: Tensor) -> Tensor:
        return self.decoder.hidden(
            ids_RS,
            self.state,
            position_ids=positions_RS,
            attention_mask=mask_RSL[:, None],
            cache=self.cache,
        )
