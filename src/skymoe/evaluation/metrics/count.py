"""Counting: exact-match accuracy, MAE, RMSE, and the share within 10 % of the true count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skymoe.evaluation.intervals import Metrics, bootstrap, mean, wilson
from skymoe.evaluation.metrics.groups import by_group


def hits(predictions: Sequence[int | None], references: Sequence[int]) -> list[bool]:
    """Whether each count is exactly the true one; an unread answer (None) never is."""
    return [predicted == reference for predicted, reference in zip(predictions, references, strict=True)]


def score(predictions: Sequence[int | None], references: Sequence[int], *, seed: int = 0) -> Metrics:
    """None stands for an answer that could not be read: wrong for the two rates, zero for the two errors.

    ``within10`` is |p − r| ≤ 0.1 r, so a true zero must be met exactly.
    """
    pairs = list(zip(predictions, references, strict=True))
    errors = np.array([abs((p or 0) - r) for p, r in pairs], dtype=np.float64)
    rows = np.stack([errors**2, np.ones(len(errors))], axis=1)
    return {
        "accuracy": wilson(sum(p == r for p, r in pairs), len(pairs)),
        "mae": mean(errors, seed=seed),
        "rmse": bootstrap(rows, lambda sums: np.sqrt(sums[:, 0] / sums[:, 1]), seed=seed),
        # In tenths: 0.1 · 30 is a little more than 3 in floating point.
        "within10": wilson(sum(p is not None and 10 * abs(p - r) <= r for p, r in pairs), len(pairs)),
    }


def readings(
    predictions: Sequence[int | None], references: Sequence[int], *, seed: int = 0
) -> dict[str, Metrics]:
    """What unread answers do to the numbers: the metrics of the answers that could be read alone, and with every
    unread one taken for zero, in the rates too. ``read only`` is missing where none could be read."""
    zeros = [0 if predicted is None else predicted for predicted in predictions]
    found = {"unread as zero": score(zeros, references, seed=seed)}
    pairs = [(p, r) for p, r in zip(predictions, references, strict=True) if p is not None]
    if pairs:
        found["read only"] = score([p for p, _ in pairs], [r for _, r in pairs], seed=seed)
    return found


def by_class(
    predictions: Sequence[int | None], references: Sequence[int], classes: Sequence[str], *, seed: int = 0
) -> dict[str, Metrics]:
    """The metrics of every class of objects counted."""
    return by_group(score, classes, predictions, references, seed=seed)
