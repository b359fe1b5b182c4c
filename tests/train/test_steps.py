"""A length in epochs, counted once for plan and training."""

from __future__ import annotations

import pytest

from skymoe.train.steps import steps_of


@pytest.mark.parametrize(
    ("epochs", "samples", "batch", "steps"),
    [
        (5, 251_000, 144, 8715),  # the paper's stage II
        (4, 54, 8, 27),  # epochs follow without a gap: not 4 × 6
        (0.5, 33, 8, 2),
        (10, 5, 8, 6),  # fewer samples than a batch holds, seen often enough
        (1, 7, 8, 0),
    ],
)
def test_steps(epochs: float, samples: int, batch: int, steps: int) -> None:
    assert steps_of(epochs, samples, batch) == steps
