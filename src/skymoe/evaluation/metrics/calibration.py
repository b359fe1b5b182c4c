"""Whether a model knows how sure it may be: calibration of its answers' confidence, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from skymoe.errors import UserError
from skymoe.evaluation.intervals import Array, Estimate, bootstrap, mean, wilson


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in ``low`` … ``high`` (the upper end belongs to it; the first bin holds 0
    too): how many, how sure they are on average, and how many of them are right."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: Estimate | None


@dataclass(frozen=True)
class Reliability:
    """``ece``: mean gap between confidence and accuracy over bins, weighted by their answers (Guo et al. 2017, Eq. 3).
    ``mce``: the largest gap. ``brier``: mean squared distance of the confidence from 0 or 1. ``overconfidence``: mean
    confidence minus accuracy. ``bins``: all of them, empty ones too, for the plot."""

    n: int
    accuracy: Estimate
    confidence: float
    ece: Estimate
    mce: float
    brier: Estimate
    overconfidence: float
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Coverage:
    """What is gained by answering only where the model is sure: the surest ``coverage`` of all answers have
    ``accuracy``, and confidence ``threshold`` or more. ``aurc`` is the mean error rate over all coverages (area under
    the risk-coverage curve, lower is better), ``best`` that of the best possible order."""

    coverage: tuple[float, ...]
    accuracy: tuple[float, ...]
    threshold: tuple[float, ...]
    aurc: float
    best: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def reliability(
    confidences: Sequence[float], correct: Sequence[bool], bins: int = 10, *, seed: int = 0
) -> Reliability:
    """Calibration with bins of equal width over 0–1.

    Raises UserError for a confidence outside 0–1 and for an empty list.
    """
    sure, right = _checked(confidences, correct)
    assert bins > 0, f"{bins} bins"
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    # A column a bin with each answer's overconfidence: ECE is a function of the columns' sums.
    gaps = np.zeros((len(sure), bins + 1))
    gaps[np.arange(len(sure)), place] = sure - right
    gaps[:, bins] = 1
    number = np.bincount(place, minlength=bins)
    hits = np.bincount(place, right, bins).round().astype(int)
    total = np.bincount(place, sure, bins)
    found = tuple(
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            n=int(number[i]),
            confidence=float(total[i] / number[i]) if number[i] else None,
            accuracy=wilson(int(hits[i]), int(number[i])) if number[i] else None,
        )
        for i in range(bins)
    )
    return Reliability(
        n=len(sure),
        accuracy=wilson(int(right.sum()), len(right)),
        confidence=float(sure.mean()),
        ece=bootstrap(gaps, lambda sums: np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1], seed=seed),
        mce=max(
            abs(b.confidence - b.accuracy["value"]) for b in found if b.confidence is not None and b.accuracy
        ),
        brier=mean((sure - right) ** 2, seed=seed),
        overconfidence=float((sure - right).mean()),
        bins=found,
    )


def coverage(confidences: Sequence[float], correct: Sequence[bool], points: int = 100) -> Coverage:
    """Accuracy against coverage at ``points`` coverages at most; answers of equal confidence come and go together.

    Raises UserError for a confidence outside 0–1 and for an empty list.
    """
    sure, right = _checked(confidences, correct)
    order = np.argsort(-sure, kind="stable")
    sure, right = sure[order], right[order]
    # Where the next answer is as sure, the curve has no point: which of the two is dropped would be chance.
    last = np.flatnonzero(np.append(sure[1:] < sure[:-1], True))
    number = last + 1
    accuracy = right.cumsum()[last] / number
    shares = np.diff(number, prepend=0) / len(sure)
    keep = np.unique(
        np.searchsorted(number, np.linspace(0, len(sure), points + 1)[1:]).clip(0, len(number) - 1)
    )
    return Coverage(
        coverage=tuple((number[keep] / len(sure)).tolist()),
        accuracy=tuple(accuracy[keep].tolist()),
        threshold=tuple(sure[last][keep].tolist()),
        aurc=float(((1 - accuracy) * shares).sum()),
        best=float(_best(int(right.sum()), len(right))),
    )


def _best(hits: int, n: int) -> float:
    """Mean error rate when every right answer is surer than every wrong one."""
    number = np.arange(hits + 1, n + 1)
    return float(((number - hits) / number).sum() / n)


def _checked(confidences: Sequence[float], correct: Sequence[bool]) -> tuple[Array, Array]:
    assert len(confidences) == len(correct), f"{len(confidences)} confidences for {len(correct)} answers"
    if not len(confidences):
        raise UserError("no answer has a confidence: calibration needs at least one")
    sure, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    strange = ~((sure >= 0) & (sure <= 1))
    if strange.any():
        raise UserError(
            f"confidence {sure[strange][0]} of an answer: a probability between 0 and 1 is wanted"
        )
    return sure, right
