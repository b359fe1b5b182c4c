"""A model's routing while it is asked: counted question by question, layer by layer, part by part.

Shapes: U questions, L mixture layers, G parts of a sequence, E experts, S tokens of one question, K choices a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skymoe.errors import UserError
from skymoe.evaluation.routing.questions import Asked
from skymoe.pictures import open_sample

if TYPE_CHECKING:
    from skymoe.engine import SkyMoe
    from skymoe.engine.routing import Routed

Array = NDArray[np.float64]
ANSWERS = ("reference", "own")
WORDINGS = ("canonical", "varied")


@dataclass(frozen=True)
class Traced:
    """What one model's routers did. Counts are numbers of tokens of each question's part.

    ``first`` counts first choices, ``chosen`` all K, ``probability`` sums the router's P(x); ``surest`` sums its
    largest P(x), ``entropy`` its entropy in bits. ``choices`` has the first choice (L, S) of all tokens, ``tokens`` and
    ``part_of`` what it is: with these two models are compared token by token.
    """

    layers: tuple[int, ...]
    experts: int
    top_k: int
    side: int
    parts: tuple[str, ...]
    conditioned: bool
    first: Array  # (U, L, G, E)
    chosen: Array  # (U, L, G, E)
    probability: Array  # (U, L, G, E)
    surest: Array  # (U, L, G)
    entropy: Array  # (U, L, G)
    choices: tuple[NDArray[np.uint16], ...]
    tokens: tuple[tuple[int, ...], ...]
    part_of: tuple[NDArray[np.uint8], ...]

    @property
    def counts(self) -> Array:
        """Tokens (U, G) of each question's parts."""
        return self.first[:, 0].sum(axis=-1)

    def shares(self, layer: int, part: str) -> tuple[NDArray[np.bool_], Array]:
        """The questions that have tokens of this part (U,), and the experts' shares of their first choices (…, E)."""
        counts = self.first[:, layer, self.parts.index(part)]
        total = counts.sum(axis=-1)
        return total > 0, counts[total > 0] / total[total > 0, None]

    def maps(self, question: int) -> tuple[list[list[list[int]]], list[list[int]]]:
        """Of every layer the cells' first choices, row by row, and those of the summary tokens before them."""
        part = self.part_of[question]
        cells = self.choices[question][:, part == self.parts.index("picture")].astype(int)
        grids = cells.reshape(len(self.layers), self.side, self.side).tolist()
        if "summary" not in self.parts:
            return grids, [[] for _ in self.layers]
        return grids, self.choices[question][:, part == self.parts.index("summary")].astype(int).tolist()


def trace_all(
    engine: SkyMoe,
    asked: Sequence[Asked],
    *,
    answers: str = "reference",
    wording: str = "canonical",
    batch_size: int = 16,
    advance: Callable[[int], None] = lambda questions: None,
) -> Traced:
    """Ask everything and count where the tokens go.

    While the routing is watched the answer is given: the data set's (``answers="reference"``, so that two models see
    the same tokens), or the one that the model itself gives (``"own"``). With ``wording="varied"`` a question is put
    in one of its task's many wordings, drawn by its id: a task is then no fixed row of words.

    Raises:
        UserError: the model has no experts.
    """
    assert answers in ANSWERS, answers
    assert wording in WORDINGS, wording
    assert (answers, wording) != ("own", "varied"), "a model's own answers are those to the canonical wording"
    from skymoe.engine.routing import PARTS, route

    config: Any = engine.model.config
    if not getattr(config, "expert_layers", ()):
        raise UserError(
            f"model {engine.name!r} is dense, it has no experts in its layers to watch: give a SkyMoE of stage II"
        )
    counted: list[tuple[Array, ...]] = []
    choices, tokens, part_of = [], [], []
    for batch in _batches(asked, batch_size):
        pictures = {one.picture: one.sample for one in batch}
        opened = {name: open_sample(sample) for name, sample in pictures.items()}
        images, queries = [opened[one.picture] for one in batch], [one.query for one in batch]
        texts = [query.target or "" for query in queries]
        if answers == "own":
            texts = [answer.text for answer in engine.answer(images, queries)]
        wordings = [Random(f"routing/{one.id}") if wording == "varied" else None for one in batch]
        for one in route(engine, images, queries, texts, wordings):
            counted.append(_count(one, len(PARTS)))
            choices.append(one.logits.argmax(dim=-1).numpy().astype(np.uint16))
            tokens.append(one.tokens)
            part_of.append(one.part_of.numpy().astype(np.uint8))
        advance(len(batch))
    first, chosen, probability, surest, entropy = (np.stack(each) for each in zip(*counted, strict=True))
    present = [place for place in range(len(PARTS)) if first[:, 0, place].sum() > 0]
    renumbered = np.zeros(len(PARTS), dtype=np.uint8)
    renumbered[present] = np.arange(len(present))
    return Traced(
        layers=tuple(config.expert_layers),
        experts=config.num_experts,
        top_k=config.num_experts_per_tok,
        side=one.side,
        parts=tuple(PARTS[place] for place in present),
        conditioned=engine.decoder.conditioned,
        first=first[:, :, present], chosen=chosen[:, :, present], probability=probability[:, :, present],
        surest=surest[:, :, present], entropy=entropy[:, :, present],
        choices=tuple(choices), tokens=tuple(tokens), part_of=tuple(renumbered[part] for part in part_of),
    )  # fmt: skip


def _count(one: Routed, parts: int) -> tuple[Array, ...]:
    """Sums over the tokens of each part: first, all choices, P (L, G, E); largest P, entropy (L, G)."""
    logits = one.logits.double().numpy()
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    ranked = one.logits.topk(one.top_k, dim=-1).indices.numpy()
    hot = np.eye(logits.shape[-1])
    belongs = np.eye(parts)[one.part_of.numpy()]  # (S, G)

    def summed(values: Array) -> Array:
        return np.einsum("ls...,sg->lg...", values, belongs)

    entropy = -(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return (
        summed(hot[logits.argmax(axis=-1)]),
        summed(hot[ranked].sum(axis=2)),
        summed(p),
        summed(p.max(axis=-1)),
        summed(entropy),
    )


def _batches(asked: Sequence[Asked], size: int) -> Iterator[list[Asked]]:
    """At most ``size`` questions, where a picture has no more; those on one picture are read together."""
    batch: list[Asked] = []
    for _, group in groupby(asked, key=lambda one: one.picture):
        questions = list(group)
        if batch and len(batch) + len(questions) > size:
            yield batch
            batch = []
        batch += questions
    if batch:
        yield batch


__all__ = ["ANSWERS", "WORDINGS", "Traced", "trace_all"]
