"""Perceptual hashes: whether two files show the same picture, whatever their size, quality or file type.

A hash is 63 bits: the signs of the 63 lowest frequencies (DCT) of the grey picture reduced to 32 × 32. Scaling
and re-encoding change a few bits; different pictures differ in about half of them. Cropping changes everything,
therefore a picture is also hashed at its centre: RSICD's pictures are the middle 131/150 of AID's.

Flat pictures (sand, water, forest) have frequencies near zero whose signs are noise: two pictures with near
hashes are called the same only when their reduced pixels agree, too (:func:`likeness`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Pixels of the reduced picture's side."""
BITS = 63
CENTRE = 131 / 150
"""The share of AID's picture that RSICD's is."""
VIEWS = ("whole", "centre")
LIKE = 0.95
"""From this likeness on two reduced pictures are called the same; docs/data.md has what was measured."""

Grey = NDArray[np.float32]  # [SIDE, SIDE], 0–255
Hashes = NDArray[np.uint64]
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]

_k, _n = np.meshgrid(np.arange(8), np.arange(SIDE), indexing="ij")
_DCT = np.cos(np.pi * (2 * _n + 1) * _k / (2 * SIDE)).astype(np.float32)
_WEIGHTS = np.left_shift(np.uint64(1), np.arange(BITS, dtype=np.uint64))


def reduced(picture: Image.Image, view: str = "whole") -> Grey:
    """The grey picture, or its centre, at SIDE × SIDE pixels."""
    assert view in VIEWS, view
    width, height = picture.size
    share = CENTRE if view == "centre" else 1.0
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    grey = picture if picture.mode == "L" else picture.convert("L")
    small = grey.resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, width - left, height - top), reducing_gap=3
    )
    return np.asarray(small, dtype=np.float32)


def perceptual_hash(grey: Grey) -> int:
    """The hash of a reduced picture, 0 … 2⁶³ − 1."""
    frequencies = (_DCT @ grey @ _DCT.T).ravel()[1:]  # without the mean
    return int(_WEIGHTS[frequencies > 0].sum(dtype=np.uint64))


def likeness(a: Grey, b: Grey) -> float:
    """How alike two reduced pictures are, −1 to 1: the correlation of their pixels, brightness and contrast aside.

    Of pictures that are nearly one colour (a spread below 2 of 255) nothing can be said but that both are: 1
    where their means agree within 4 of 255, else 0.
    """
    x, y = a - a.mean(), b - b.mean()
    spread_a, spread_b = float(x.std()), float(y.std())
    if min(spread_a, spread_b) < 2:
        both = max(spread_a, spread_b) < 2 and abs(float(a.mean() - b.mean())) < 4
        return 1.0 if both else 0.0
    return float((x * y).mean()) / (spread_a * spread_b)


def near_pairs(a: Hashes, b: Hashes, distance: int, block: int = 1 << 22) -> Iterator[Pairs]:
    """(places in a, places in b) of all pairs that differ in at most `distance` bits.

    Compares all with all, a block of about `block` pairs at a time: memory does not grow with the lists.
    """
    rows = max(1, block // max(1, len(b)))
    for start in range(0, len(a), rows):
        found_a, found_b = np.nonzero(bit_count(a[start : start + rows, None] ^ b[None, :]) <= distance)
        if len(found_a):
            yield found_a + start, found_b


def near_twins(hashes: Hashes, distance: int) -> Iterator[Pairs]:
    """(first, second) places of one list whose hashes differ in at most `distance` bits; each pair comes once.

    The hash is cut into distance + 1 pieces: of two that are so near at least one piece is equal, so that only
    pictures that share a piece are compared.
    """
    edges = [round(BITS * piece / (distance + 1)) for piece in range(distance + 2)]
    parts = [(hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1) for low, high in pairwise(edges)]
    for piece, part in enumerate(parts):
        order = np.argsort(part, kind="stable")
        starts = np.flatnonzero(np.r_[True, part[order][1:] != part[order][:-1]])
        ends = np.r_[starts[1:], len(order)]
        shared = ends - starts > 1
        for start, end in zip(starts[shared], ends[shared], strict=True):
            members = order[start:end]  # ascending: the sort is stable
            for found_a, found_b in near_pairs(hashes[members], hashes[members], distance):
                first, second = members[found_a], members[found_b]
                new = first < second
                for earlier in parts[:piece]:  # a pair that shares an earlier piece has been told already
                    new &= earlier[first] != earlier[second]
                if new.any():
                    yield first[new], second[new]


def bit_count(values: Hashes) -> NDArray[np.integer]:
    """How many bits are set in each."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        return np.bitwise_count(values)
    return _BITS_OF[values.view(np.uint16).reshape(*values.shape, 4)].sum(axis=-1)


_BITS_OF = np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)
