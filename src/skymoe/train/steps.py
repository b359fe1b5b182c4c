"""How many steps a length in epochs is: the same count for a plan and for the training itself."""

from __future__ import annotations


def steps_of(epochs: float, samples: int, batch_size: int) -> int:
    """Optimizer steps. Epochs follow one another without a gap; of the very last, incomplete batch nothing is used."""
    return int(epochs * samples) // batch_size
