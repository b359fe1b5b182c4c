"""Experts that nobody is sent to: seen while training, said with what helps.

E experts of a layer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)
DEAD = 0.01
"""An expert is dead with less than this part of an even share of the tokens, between two lines of the log."""


class ExpertWatch:
    """Adds up how the routers of `layers` (numbers in the decoder) share tokens out, and warns of dead experts."""

    def __init__(self, layers: Sequence[int], advice: str) -> None:
        self.layers, self.advice = list(layers), advice
        self._sums: list[Tensor] = []
        self._batches = 0
        self._known: set[tuple[int, int]] = set()

    def add(self, loads: Sequence[Tensor]) -> None:
        """The shares (E,) of one batch, a tensor for each layer."""
        if not self._sums:
            self._sums = [torch.zeros_like(load) for load in loads]
        for total, load in zip(self._sums, loads, strict=True):
            total += load
        self._batches += 1

    def report(self, everybody: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """What to log of the batches since the last report; `everybody` averages over the processes.

        An expert is warned of when it dies, and again only after it had come back to life.
        """
        if not self._batches:
            return {}
        shares_LE = everybody(torch.stack(self._sums) / self._batches)
        experts = shares_LE.shape[1]
        dead = {(layer, expert) for layer, expert in (shares_LE < DEAD / experts).nonzero().tolist()}
        for layer, expert in sorted(dead - self._known):
            log.warning(
                "layer %d: expert %d got %.2f %% of the tokens since the last line of the log (even: %.1f %%) and "
                "learns nothing; %s",
                self.layers[layer],
                expert,
                100 * shares_LE[layer, expert].item(),
                100 / experts,
                self.advice,
            )
        self._known = dead
        self._sums, self._batches = [], 0
        return {"dead_experts": float(len(dead))}
