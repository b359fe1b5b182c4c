"""How much the choice of an expert tells about what was asked: mutual information with its chance level.

A *unit* is one question's tokens of one part (the words of the question, say): its row holds the share of them that
each expert got, so that long and short questions weigh the same. Labels belong to units, never to tokens.

Mutual information of a finite sample is biased upwards: independent things share some by chance. Two shuffles say how
much, and both move labels of whole questions, because the tokens of a question are no independent draws:

- *over pictures*: each picture gets the labels of another one. What exceeds it is more than chance.
- *within pictures*: the questions on one picture exchange their labels. What exceeds it cannot come from the picture,
  nor from the data set that the picture belongs to, but only from what was asked.

Shapes: U units, E experts, C label classes, P shuffles, R resamples, B pictures.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.evaluation.intervals import RESAMPLES

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
SHUFFLES = 999
_CELLS = 8_000_000  # numbers held at a time: 64 MB


@dataclass(frozen=True)
class Chance:
    """What a shuffle leaves: the mean, the 2.5 % and 97.5 % quantiles, and the share of shuffles (the given order
    counted among them) that reach the value."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Information:
    """Normalised mutual information ``nmi`` = 2 I / (H(expert) + H(label)), 0–1, and ``bits`` = I of ``units``.

    ``excess`` is what ``nmi`` exceeds the mean of the shuffle over pictures by; ``low`` and ``high`` are the ends of
    its 95 % interval. ``within`` and ``beyond_picture`` (what exceeds the mean of that shuffle) are None where no
    picture has questions of different labels.
    """

    units: int
    labels: int
    bits: float
    nmi: float
    chance: Chance
    excess: float
    low: float
    high: float
    within: Chance | None = None
    beyond_picture: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def mutual_information(joint: Array) -> tuple[Array, Array]:
    """I in bits and its normalised value, each (…), of tables (…, C, E) of weights. 0 where either never varies."""
    p = joint / joint.sum(axis=(-2, -1), keepdims=True)
    label, expert = _entropy(p.sum(axis=-1)), _entropy(p.sum(axis=-2))
    shared = (label + expert - _entropy(p.reshape(*p.shape[:-2], -1))).clip(0)
    shared = np.where(
        shared < 1e-12, 0.0, shared
    )  # a difference of entropies leaves rounding where there is nothing
    total = label + expert
    return shared, np.divide(2 * shared, total, out=np.zeros_like(shared), where=total > 0)


def _entropy(p: Array) -> Array:
    return -np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), 0.0).sum(axis=-1)


class Labelled:
    """Units' labels, and the pictures (or other groups) that they may be shuffled over and within.

    One object serves all layers: the shuffles are drawn once, from ``seed``.
    """

    def __init__(
        self,
        labels: Sequence[Hashable],
        groups: Sequence[Hashable],
        *,
        pictures: Sequence[Hashable] | None = None,
        seed: int = 0,
        shuffles: int = SHUFFLES,
        resamples: int = RESAMPLES,
    ) -> None:
        """Labels are shuffled over and within ``groups``; ``pictures`` (default: the same) are resampled."""
        assert len(labels) == len(groups), "one group a unit"
        names = sorted(set(labels), key=str)
        self.names = names
        self.labels_U = np.array([names.index(label) for label in labels], dtype=np.int64)
        group_U = _numbers(groups)
        # Units of one group stand together while labels are dealt.
        self._order = np.argsort(group_U, kind="stable")
        self._group_U = group_U[self._order]
        sizes = np.bincount(self._group_U)
        self._size, self._start = sizes, np.cumsum(sizes) - sizes
        self.picture_U = _numbers(pictures if pictures is not None else groups)
        self.seed, self.shuffles, self.resamples = seed, shuffles, resamples
        mixed = {(g, y) for g, y in zip(self._group_U, self.labels_U[self._order], strict=True)}
        self.crossed = len(mixed) > len(sizes)
        self._over_PU: Whole | None = None
        self._within_PU: Whole | None = None

    def information(self, shares_UE: Array, *, within: bool = True) -> Information:
        """What the experts' ``shares_UE`` (each row sums to 1) tell of the labels."""
        assert len(shares_UE) == len(self.labels_U), "one row a unit"
        if self._over_PU is None:
            self._over_PU = self._shuffled(across=True)
        bits, nmi = mutual_information(self.table(shares_UE))
        value = float(nmi)
        chance = self._chance(value, self._over_PU, shares_UE)
        spread = self.resampled(shares_UE)
        low, high = (float(q) for q in np.quantile(spread, (0.025, 0.975)) - spread.mean())
        excess = value - chance.mean
        inside = None
        if within and self.crossed:
            if self._within_PU is None:
                self._within_PU = self._shuffled(across=False)
            inside = self._chance(value, self._within_PU, shares_UE)
        return Information(
            units=len(shares_UE), labels=len(self.names), bits=float(bits), nmi=value,
            chance=chance, excess=excess, low=excess + min(low, 0.0), high=excess + max(high, 0.0),
            within=inside, beyond_picture=None if inside is None else value - inside.mean,
        )  # fmt: skip

    def table(self, shares_UE: Array) -> Array:
        """Weights (C, E) of label and expert together."""
        return self._one_hot().T @ shares_UE

    def resampled(self, shares_UE: Array) -> Array:
        """The normalised information (R,) of resampled pictures; the same draws for all models and layers.

        Resampling repeats pictures, which adds to the bias: only the spread of these values is meant to be used.
        """
        count = int(self.picture_U.max()) + 1
        tables = np.zeros((count, len(self.names), shares_UE.shape[1]))
        np.add.at(tables, (self.picture_U, self.labels_U), shares_UE)
        flat = tables.reshape(count, -1)
        rng = np.random.default_rng(self.seed)
        found = []
        for size in _blocks(self.resamples, count):
            drawn = rng.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)
            found.append(mutual_information((drawn @ flat).reshape(size, *tables.shape[1:]))[1])
        return np.concatenate(found)

    def _one_hot(self) -> Array:
        return np.eye(len(self.names))[self.labels_U]

    def _chance(self, value: float, shuffled_PU: Whole, shares_UE: Array) -> Chance:
        found = []
        for part in np.array_split(shuffled_PU, max(1, shuffled_PU.size // _CELLS)):
            tables = np.stack([(part == label) @ shares_UE for label in range(len(self.names))], axis=1)
            found.append(mutual_information(tables)[1])
        values = np.concatenate(found)
        low, high = np.quantile(values, (0.025, 0.975))
        # Equal tables summed in another order differ in the last digits.
        reached = int((values >= value - 1e-9).sum())
        return Chance(float(values.mean()), float(low), float(high), (1 + reached) / (1 + len(values)))

    def _shuffled(self, *, across: bool) -> Whole:
        """Labels (P, U) after each shuffle. Groups of different sizes deal their labels round and round."""
        rng = np.random.default_rng((self.seed, across))
        own = self.labels_U[self._order]
        found = np.empty((self.shuffles, len(own)), dtype=np.int64)
        place_U = np.arange(len(own)) - self._start[self._group_U]
        for row in range(self.shuffles):
            # Adding whole numbers keeps the groups in order and mixes each within itself.
            dealt = own[np.argsort(self._group_U + rng.random(len(own)))]
            donor = rng.permutation(len(self._size)) if across else np.arange(len(self._size))
            source_U = donor[self._group_U]
            found[row, self._order] = dealt[self._start[source_U] + place_U % self._size[source_U]]
        return found


def _numbers(keys: Sequence[Hashable]) -> Whole:
    """Keys as 0, 1, 2 … in the order in which they first come."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _blocks(total: int, width: int) -> list[int]:
    size = max(1, _CELLS // max(1, width))
    return [min(size, total - start) for start in range(0, total, size)]


__all__ = ["Chance", "Information", "Labelled", "mutual_information"]
