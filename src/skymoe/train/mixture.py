"""Which picture comes when: one endless, seeded order over weighted sources, the same for any number of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from skymoe.sample import Sample

from .corpus import CorpusItem

Draw = Callable[[Random], Sample]


@dataclass(frozen=True)
class Group:
    """A source in the mixture: fixed samples, or ways to draw a fresh one (a random tile of a scene)."""

    name: str
    items: Sequence[Sample | Draw | CorpusItem]
    weight: float


class Mixture:
    """`mixture[i]` is the i-th picture of the run and the random generator for everything done to it.

    Group shares follow the weights exactly (each next picture goes to the group that lags most), and each group is
    walked through in a fresh seeded permutation per round. Both are functions of (seed, i) alone, so a resumed run
    continues with the very picture it would have seen, and workers need no coordination.
    """

    def __init__(self, groups: Sequence[Group], length: int, seed: int) -> None:
        assert all(group.items for group in groups), "every group of a mixture needs samples"
        self.groups, self.seed, self.length = list(groups), seed, length
        share = np.array([group.weight for group in groups], dtype=np.float64)
        share /= share.sum()
        self._group = np.empty(length, dtype=np.int16)
        self._round = np.empty(length, dtype=np.int64)
        taken = np.zeros(len(groups), dtype=np.int64)
        for i in range(length):
            g = int(np.argmax(share * (i + 1) - taken))
            self._group[i], self._round[i] = g, taken[g]
            taken[g] += 1
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Sample | CorpusItem, Random]:
        item = self.item(index)
        rng = Random(f"{self.seed}/{index}")
        return (item if isinstance(item, (Sample, CorpusItem)) else item(rng)), rng

    def item(self, index: int) -> Sample | Draw | CorpusItem:
        """What the picture is made of, without making it."""
        group = int(self._group[index])
        items = self.groups[group].items
        epoch, place = divmod(int(self._round[index]), len(items))
        if (group, epoch) not in self._orders:
            self._orders[(group, epoch)] = np.random.default_rng([self.seed, group, epoch]).permutation(
                len(items)
            )
        return items[int(self._orders[(group, epoch)][place])]


class Pictures(Dataset):
    """A mixture as a torch dataset: `prepare(sample, rng)` makes the features; `start` skips what was seen before.

    With `block`, the pictures of an optimizer step, each block is walked through from the longest conversation to the
    shortest: what is processed at a time is then of like length and little of it padding, and the step learns from the
    same pictures as before. Only items of a corpus say how long they are before they are made.
    """

    def __init__(
        self, mixture: Mixture, prepare: Callable[[Any, Random], dict], start: int = 0, block: int = 1
    ) -> None:
        self.mixture, self.prepare, self.start, self.block = mixture, prepare, start, block
        self._sorted: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        return len(self.mixture) - self.start

    def __getitem__(self, index: int) -> dict:
        return self.prepare(*self.mixture[self._place(index + self.start)])

    def _place(self, index: int) -> int:
        if self.block == 1:
            return index
        number, row = divmod(index, self.block)
        if self._sorted[0] != number:
            block = range(number * self.block, min((number + 1) * self.block, len(self.mixture)))
            self._sorted = number, sorted(block, key=self._length, reverse=True)
        return self._sorted[1][row]

    def _length(self, index: int) -> int:
        item = self.mixture.item(index)
        return item.length if isinstance(item, CorpusItem) else 0
