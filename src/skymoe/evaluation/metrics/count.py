"""Counting: exact-match accuracy, MAE, RMSE, and the share within 10 % of the true count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skymoe.evaluation.intervals import Metrics, bootstrap, mean, wilson


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
