"""Second pass of a build: which items go into the corpus, and in which order. Numbers only, no texts.

All items of all sources stand in a few arrays of numbers, some 40 bytes an item, in the order in which they
were read. Every item gets a fate; the order is a shuffle of each source, the sources interleaved evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.data.fingerprints import LIKE, likeness, near_twins

NEAR = 6
"""Bits in which the hashes of two pictures called the same may differ."""

Words = NDArray[np.uint64]


class Fate(IntEnum):
    KEPT = 0
    DUPLICATE = 1
    CAPPED = 2
    SHARED_OUT = 3
    TAKEN = 4


REASONS = {
    Fate.DUPLICATE: (
        "duplicate",
        "the same is asked of the same picture with the same answer in an earlier item",
    ),
    Fate.CAPPED: ("capped", "its source has more items than its cap"),
    Fate.SHARED_OUT: ("capped", "its source has more items than its share of the corpus's size"),
    Fate.TAKEN: ("quarantined", "another sample of its source and split has the same id"),
}


@dataclass(frozen=True)
class Staged:
    """Everything the first pass made: `chunks` in order, and for each item and sample what decides its fate."""

    chunks: tuple[Path, ...]
    chunk_of: NDArray[np.int32]  # [items]
    row: NDArray[np.int32]  # [items], within the chunk
    group: NDArray[np.int16]  # [items], the number of the source
    owner: NDArray[np.int64]  # [items], the number of the sample among all
    key: Words  # [items]
    priority: Words  # [items]
    sample: Words  # [samples], hash of source, split and id
    sample_chunk: NDArray[np.int32]  # [samples]
    sample_row: NDArray[np.int32]  # [samples]
    identity: Words  # [samples]
    hash: Words  # [samples]
    tells: NDArray[np.bool_]  # [samples]


def load(groups: Sequence[Sequence[Path]]) -> Staged:
    """Read the arrays of every group's chunks."""
    columns: dict[str, list[NDArray[Any]]] = {
        name: [] for name in Staged.__dataclass_fields__ if name != "chunks"
    }
    chunks: list[Path] = []
    samples = 0
    for group, paths in enumerate(groups):
        for path in paths:
            with np.load(path.with_suffix(".npz")) as arrays:
                many, few = len(arrays["key"]), len(arrays["sample"])
                for name in ("key", "priority", "sample", "identity", "hash", "tells"):
                    columns[name].append(arrays[name])
                columns["owner"].append(arrays["owner"].astype(np.int64) + samples)
            columns["chunk_of"].append(np.full(many, len(chunks), np.int32))
            columns["row"].append(np.arange(many, dtype=np.int32))
            columns["group"].append(np.full(many, group, np.int16))
            columns["sample_chunk"].append(np.full(few, len(chunks), np.int32))
            columns["sample_row"].append(np.arange(few, dtype=np.int32))
            chunks.append(path)
            samples += few
    joined: dict[str, Any] = {
        name: np.concatenate(parts) if parts else np.empty(0) for name, parts in columns.items()
    }
    return Staged(tuple(chunks), **joined)


def fates(
    staged: Staged, duplicates: str, caps: Sequence[int | None], weights: Sequence[float], size: int | None
) -> NDArray[np.uint8]:
    """The fate of every item: `duplicates` is "keep", "exact" or "near", `caps` and `weights` are the sources'."""
    fate = np.zeros(len(staged.key), np.uint8)
    fate[_repeated(staged.sample)[staged.owner]] = Fate.TAKEN
    if duplicates != "keep":
        picture = twins(staged) if duplicates == "near" else staged.identity
        # An odd factor spreads the picture's bits; equal pictures and equal questions give equal words.
        asked = (picture[staged.owner] * np.uint64(0x9E3779B97F4A7C15)) ^ staged.key
        alive = np.flatnonzero(fate == Fate.KEPT)
        _, first = np.unique(asked[alive], return_index=True)
        again = np.ones(len(alive), bool)
        again[first] = False
        fate[alive[again]] = Fate.DUPLICATE
    for group, cap in enumerate(caps):
        _cut(fate, staged, group, cap, Fate.CAPPED)
    if size is not None:
        there = [int(((staged.group == group) & (fate == Fate.KEPT)).sum()) for group in range(len(caps))]
        for group, quota in enumerate(quotas(there, weights, size)):
            _cut(fate, staged, group, quota, Fate.SHARED_OUT)
    return fate


def quotas(there: Sequence[int], weights: Sequence[float], size: int) -> list[int]:
    """How many items each source gives: by weight; what one lacks the others give, by weight again."""
    quota = [0] * len(there)
    open_, left = [n for n, many in enumerate(there) if many], min(size, sum(there))
    while open_ and left:
        total = sum(weights[n] for n in open_)
        scarce = [n for n in open_ if there[n] <= left * weights[n] / total]
        if not scarce:
            exact = {n: left * weights[n] / total for n in open_}
            for n in open_:
                quota[n] = int(exact[n])
            rest = left - sum(quota[n] for n in open_)
            for n in sorted(open_, key=lambda n: (quota[n] - exact[n], n))[:rest]:
                quota[n] += 1
            break
        for n in scarce:
            quota[n] = there[n]
        left -= sum(there[n] for n in scarce)
        open_ = [n for n in open_ if n not in scarce]
    return quota


def order(staged: Staged, fate: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The kept items in the order of the corpus: shuffled within a source, the sources spread evenly over it."""
    kept = np.flatnonzero(fate == Fate.KEPT)
    shuffled = kept[np.lexsort((kept, staged.priority[kept], staged.group[kept]))]
    groups = staged.group[shuffled]
    starts = np.searchsorted(groups, groups, side="left")
    sizes = np.searchsorted(groups, groups, side="right") - starts
    position = (np.arange(len(shuffled)) - starts + 0.5) / np.maximum(sizes, 1)
    return shuffled[np.lexsort((groups, position))]


def twins(staged: Staged) -> Words:
    """One word for each sample's picture, the same for pictures that are the same but for size and quality."""
    root = np.unique(staged.identity, return_inverse=True)[1].reshape(-1)
    of_identity = np.full(int(root.max(initial=-1)) + 1, -1, np.int64)
    of_identity[root[::-1]] = np.arange(len(root))[::-1]  # the first sample that has it
    firsts = np.sort(of_identity[staged.tells[of_identity]])
    parent = np.arange(len(root))

    def find(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = int(parent[n])
        return n

    for first, second in near_twins(staged.hash[firsts], NEAR):
        pairs = list(zip(firsts[first].tolist(), firsts[second].tolist(), strict=True))
        thumbs = _thumbs(staged, {n for pair in pairs for n in pair})
        for a, b in pairs:
            if find(a) != find(b) and likeness(thumbs[a], thumbs[b]) >= LIKE:
                low, high = sorted((find(a), find(b)))
                parent[high] = low
    return np.array([staged.identity[find(int(of_identity[each]))] for each in root], np.uint64)


def _thumbs(staged: Staged, samples: set[int]) -> dict[int, NDArray[np.float32]]:
    by_chunk: dict[int, list[int]] = {}
    for n in sorted(samples):
        by_chunk.setdefault(int(staged.sample_chunk[n]), []).append(n)
    found = {}
    for chunk, members in by_chunk.items():
        with np.load(staged.chunks[chunk].with_suffix(".npz")) as arrays:
            thumbs = arrays["thumb"]
        for n in members:
            found[n] = thumbs[staged.sample_row[n]].astype(np.float32)
    return found


def _repeated(names: Words) -> NDArray[np.bool_]:
    """Which samples are called as an earlier one."""
    again = np.ones(len(names), bool)
    again[np.unique(names, return_index=True)[1]] = False
    return again


def _cut(fate: NDArray[np.uint8], staged: Staged, group: int, most: int | None, mark: Fate) -> None:
    """Leave `most` of the group's kept items: those of the lowest priority, which is a seeded draw."""
    if most is None:
        return
    kept = np.flatnonzero((staged.group == group) & (fate == Fate.KEPT))
    if len(kept) > most:
        ranked = kept[np.lexsort((kept, staged.priority[kept]))]
        fate[ranked[most:]] = mark
