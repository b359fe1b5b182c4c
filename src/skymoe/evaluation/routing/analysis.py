"""From counted choices to the report's numbers: per layer balance, histograms, and what the choice tells.

Histograms and information are of first choices (those that the balance loss counts), balance of all K choices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.evaluation.routing.balance import balance
from skymoe.evaluation.routing.information import SHUFFLES, Labelled
from skymoe.evaluation.routing.questions import Asked
from skymoe.evaluation.routing.tracing import Traced
from skymoe.tasks import TASKS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LABELS: dict[str, Callable[[Asked], str]] = {
    "task": lambda one: one.query.task,
    "granularity": lambda one: one.granularity,
    "source": lambda one: one.source,
}
"""What the choice of an expert may tell about a question: what is asked, about how much of the picture, and (to know
what a mere data set looks like) where the picture comes from."""
ORDER = (*TASKS, "image", "region", "object")
IMAGE, TEXT = ("summary", "picture"), ("question", "closing", "answer")
FIXED = ("opening",)
"""Read before anything that differs: nothing can be told from it."""


class Labels:
    """The labels of the questions, with their shuffles, for whatever part of them has tokens."""

    def __init__(self, asked: Sequence[Asked], *, seed: int = 0, shuffles: int = SHUFFLES) -> None:
        self.asked = asked
        self.seed, self.shuffles = seed, shuffles
        self._made: dict[tuple[str, bytes], Labelled | None] = {}

    def of(self, label: str, present_U: Mask) -> Labelled | None:
        """Of the questions present; None where there is one class or one picture only."""
        key = (label, present_U.tobytes())
        if key not in self._made:
            chosen = [one for one, there in zip(self.asked, present_U, strict=True) if there]
            names, pictures = [LABELS[label](one) for one in chosen], [one.picture for one in chosen]
            self._made[key] = self._labelled(names, pictures)
        return self._made[key]

    def modality(self) -> Labelled | None:
        """Image and text tokens of each question, which exchange their names; pictures are resampled."""
        names = ["image", "text"] * len(self.asked)
        return self._labelled(names, *([key(n) for n in range(len(names))] for key in self._keys()))

    def _keys(self) -> tuple[Callable[[int], Hashable], ...]:
        return (lambda n: n // 2), (lambda n: self.asked[n // 2].picture)

    def _labelled(
        self, names: Sequence[str], groups: Sequence[Hashable], pictures: Sequence[Hashable] | None = None
    ) -> Labelled | None:
        if len(set(names)) < 2 or len(set(pictures or groups)) < 2:
            return None
        return Labelled(names, groups, pictures=pictures, seed=self.seed, shuffles=self.shuffles)


def analyse(
    traced: Traced,
    asked: Sequence[Asked],
    labels: Labels,
    advance: Callable[[int], None] = lambda layers: None,
) -> list[dict[str, Any]]:
    """One entry a layer: ``balance`` (``all`` tokens, and of each part), ``histograms`` (label → value → part → share
    of each expert) and ``information`` (label → part → numbers, or None where nothing can be told)."""
    found = []
    modality = labels.modality()
    for place, layer in enumerate(traced.layers):
        information: dict[str, Any] = {
            label: {part: _information(traced, place, part, label, labels) for part in informative(traced)}
            for label in LABELS
        }
        both = _shares(traced, place, IMAGE), _shares(traced, place, TEXT)
        rows = np.stack(both, axis=1).reshape(-1, traced.experts)
        information["modality"] = (
            None if modality is None else modality.information(rows, within=False).to_dict()
        )
        found.append(
            {
                "layer": layer,
                "balance": {
                    "all": _balance(traced, place, range(len(traced.parts))),
                    **{part: _balance(traced, place, [n]) for n, part in enumerate(traced.parts)},
                },
                "histograms": {label: _histograms(traced, place, asked, label) for label in LABELS},
                "information": information,
            }
        )
        advance(1)
    return found


def informative(traced: Traced) -> list[str]:
    """The parts that can tell something."""
    return [part for part in traced.parts if part not in FIXED]


def numbers(asked: Sequence[Asked]) -> dict[str, dict[str, int]]:
    """How many questions there are of each label."""
    found = {}
    for label, of in LABELS.items():
        counted = Counter(map(of, asked))
        found[label] = {name: counted[name] for name in ordered(counted)}
    return found


def ordered(names: Iterable[str]) -> list[str]:
    """Tasks as they are always listed, granularities from the whole to the single, others by name."""
    return sorted(set(names), key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def _information(traced: Traced, place: int, part: str, label: str, labels: Labels) -> dict[str, Any] | None:
    present, shares = traced.shares(place, part)
    labelled = labels.of(label, present)
    if labelled is None:
        return None
    # The questions on one picture come from one data set, so that exchanging labels among them changes nothing.
    return labelled.information(shares, within=label != "source").to_dict()


def _shares(traced: Traced, place: int, parts: Sequence[str]) -> Array:
    """The experts' shares (U, E) of the first choices in several parts together."""
    chosen = [n for n, part in enumerate(traced.parts) if part in parts]
    counts = traced.first[:, place, chosen].sum(axis=1)
    return counts / counts.sum(axis=-1, keepdims=True)


def _balance(traced: Traced, place: int, parts: Sequence[int]) -> dict[str, Any]:
    def summed(values: Array) -> Array:
        return values[:, place, list(parts)].sum(axis=(0, 1))

    sums = (summed(traced.first), summed(traced.chosen), summed(traced.probability))
    return balance(*sums, float(summed(traced.surest)), float(summed(traced.entropy))).to_dict()


def _histograms(
    traced: Traced, place: int, asked: Sequence[Asked], label: str
) -> dict[str, dict[str, list[float]]]:
    """Each question weighs the same, whatever its length."""
    names = np.array([LABELS[label](one) for one in asked])
    found: dict[str, dict[str, list[float]]] = {name: {} for name in ordered(names.tolist())}
    for part in traced.parts:
        present, shares = traced.shares(place, part)
        for name, histograms in found.items():
            chosen = shares[names[present] == name]
            if len(chosen):
                histograms[part] = chosen.mean(axis=0).tolist()
    return found


__all__ = ["FIXED", "IMAGE", "LABELS", "TEXT", "Labels", "analyse", "informative", "numbers", "ordered"]
