"""What the engine needs of a model: pictures with questions remembered, tokens read, logits given.

Two kinds of models answer to it: one language model (`single.py`: SkyMoE, LLaVA) and several that speak as one
(`several.py`: RS-MoE). Prefix store, searches, grammars and closed lists know only what stands here.

Shapes: R rows, S new tokens, N places whose next token is asked for (or pictures), V vocabulary, P tokens of a prefix.
"…" is what one token's hidden state is made of: (D,) for one language model, (E, D) for E of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from skymoe.answer import ExpertReport
from skymoe.engine.prompting import Prompt
from skymoe.tasks import TASKS


@dataclass(frozen=True)
class Prefix:
    """What the decoder remembers of one picture: per layer the keys and values (1, H, P, head size).

    Several language models are remembered side by side, as further heads: what selects and reorders rows need not know
    how many there are. ``state`` (1, ?) is what the decoder wants to be told with every further token.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    state: Tensor | None = None
    explanation: tuple[ExpertReport, ...] = ()

    @property
    def length(self) -> int:
        return self.keys[0].shape[2]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.keys, *self.values))


class Decoder(ABC):
    """A model below the generation interface."""

    tasks: frozenset[str] = frozenset(TASKS)
    """What it was made to answer."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor
        self.embed = model.get_input_embeddings()

    @property
    def device(self) -> torch.device:
        return self.embed.weight.device

    @property
    def vocabulary(self) -> int:
        """Tokens that logits are given for, V."""
        return self.model.get_output_embeddings().weight.shape[0]

    @property
    def conditioned(self) -> bool:
        """Whether a picture is read with its question in mind: then a prefix belongs to one question only."""
        return False

    @property
    def explains(self) -> bool:
        """Whether prefixes come with reports of experts."""
        return False

    @abstractmethod
    def remember(
        self, pixels_N3HW: Tensor, pictures: Sequence[int], prompts: Sequence[Prompt]
    ) -> list[Prefix]:
        """The prefixes of B prompts, all of one length, the n-th on the picture ``pictures[n]`` of those N."""

    @abstractmethod
    def hidden(self, ids_RS: Tensor, state: Tensor | None, **inputs: Any) -> Tensor:
        """Last hidden states (R, S, …) of tokens that continue the cache given in ``inputs``."""

    @abstractmethod
    def logits(self, hidden: Tensor, state: Tensor | None) -> Tensor:
        """Logits (N, V) in float32 of what follows N places, from their hidden states (N, …); ``state`` has one row for
        each place, or one for all. Float32 whatever the model's dtype: probabilities are summed up over many tokens.
        """


def prefixes(
    cache: Cache, state_B: Tensor | None, explanations: Sequence[tuple[ExpertReport, ...]] = ()
) -> list[Prefix]:
    """What a cache of B rows remembers, row by row."""
    rows = len(cache.layers[0].keys)
    return [
        Prefix(
            tuple(layer.keys[n : n + 1].clone() for layer in cache.layers),
            tuple(layer.values[n : n + 1].clone() for layer in cache.layers),
            None if state_B is None else state_B[n : n + 1],
            explanations[n] if explanations else (),
        )
        for n in range(rows)
    ]


def decoder_of(model: Any, processor: Any) -> Decoder:
    """The decoder that fits the model."""
    if model.config.model_type == "rsmoe":
        from skymoe.engine.several import SeveralDecoder

        return SeveralDecoder(model, processor)
    from skymoe.engine.single import SingleDecoder

    return SingleDecoder(model, processor)
