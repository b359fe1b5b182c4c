"""How evenly the experts of one layer are used, and how sure its router is.

Shapes: E experts. Everything is a sum or mean over some tokens: all of them, those of a task, of a part …
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IDLE = 0.1
"""An expert with less than this part of an even share counts as idle."""


@dataclass(frozen=True)
class Balance:
    """``load`` is each expert's share of all K choices, ``first`` of the first choices.

    ``loss`` is E · Σ F_i G_i (Eq. 7 and 8): 1 when all is even, E when one expert takes everything. ``effective`` is
    the number of equally used experts that would have the load's entropy (1 … E), ``busiest`` the largest load in even
    shares, ``idle`` how many experts get less than a tenth of one. ``surest`` is the mean of the router's largest
    probability, ``doubt`` the mean entropy of its probabilities as a share of the largest possible (0 … 1).
    """

    tokens: int
    load: tuple[float, ...]
    first: tuple[float, ...]
    loss: float
    effective: float
    busiest: float
    idle: int
    surest: float
    doubt: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**asdict(self), "load": list(self.load), "first": list(self.first)}


def balance(first_E: Array, chosen_E: Array, probability_E: Array, surest: float, entropy: float) -> Balance:
    """From sums over tokens: first choices, all choices and probabilities of each expert, largest probability, bits."""
    tokens = first_E.sum()
    assert tokens > 0, "no tokens to weigh"
    experts = len(first_E)
    load, first, mean = chosen_E / chosen_E.sum(), first_E / tokens, probability_E / tokens
    used = load[load > 0]
    return Balance(
        tokens=round(float(tokens)),
        load=tuple(map(float, load)),
        first=tuple(map(float, first)),
        loss=float(experts * (first * mean).sum()),
        effective=float(np.exp(-(used * np.log(used)).sum())),
        busiest=float(experts * load.max()),
        idle=int((load < IDLE / experts).sum()),
        surest=float(surest / tokens),
        doubt=float(entropy / tokens / np.log2(experts)) if experts > 1 else 0.0,
    )


__all__ = ["IDLE", "Balance", "balance"]
