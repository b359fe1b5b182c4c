"""The n-grams of a whole set of tokenised captions at once, as integers: what BLEU and CIDEr count.

Captions are numbered: first the predictions, one an image, then all references. Suffixes name the axes:
C captions · W words of all captions in a row · K different pairs of caption and n-gram · G different n-grams
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grams:
    """How often each n-gram of one order stands in each caption: three arrays (K,), by caption, then n-gram. ``kinds``
    is G."""

    caption: Integers
    gram: Integers
    times: Integers
    kinds: int


@dataclass(frozen=True)
class Counted:
    """``image`` (C,) names each caption's image, ``words`` (C,) its number of words; ``orders`` n-grams of 1, 2, …."""

    images: int
    image: Integers
    words: Integers
    orders: tuple[Grams, ...]


def count(predictions: Sequence[str], references: Sequence[Sequence[str]], highest: int = 4) -> Counted:
    """The n-grams of 1 … ``highest`` words of one tokenised caption an image and of all its references."""
    captions = [*predictions, *(line for lines in references for line in lines)]
    own = np.arange(len(predictions))
    image_C = np.concatenate([own, np.repeat(own, [len(lines) for lines in references])])
    words = [caption.split() for caption in captions]
    words_C = np.array([len(caption) for caption in words], dtype=np.int64)
    known: dict[str, int] = {}
    word_W = np.array(
        [known.setdefault(word, len(known)) for caption in words for word in caption], dtype=np.int64
    )
    caption_W = np.repeat(np.arange(len(captions)), words_C)
    end_W = np.cumsum(words_C)[caption_W] if len(word_W) else word_W  # where the caption of each word ends
    orders = []
    start, gram, kinds = np.arange(len(word_W)), word_W, len(known)
    for order in range(1, highest + 1):
        if order > 1:
            fits = start + order <= end_W[start]
            start, gram = start[fits], gram[fits]
            # An n-gram is the one that is a word shorter, and its last word.
            names, gram = np.unique(gram * len(known) + word_W[start + order - 1], return_inverse=True)
            kinds = len(names)
        pair, times = np.unique(caption_W[start] * max(kinds, 1) + gram, return_counts=True)
        caption_K, gram_K = np.divmod(pair, max(kinds, 1))
        orders.append(Grams(caption_K, gram_K, times, kinds))
    return Counted(len(predictions), image_C, words_C, tuple(orders))


def find(wanted: Integers, among: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """Which of ``wanted`` are in the sorted ``among``, and where (anywhere for those that are not)."""
    if not len(among):
        return np.zeros(len(wanted), dtype=bool), np.zeros(len(wanted), dtype=np.int64)
    place = np.searchsorted(among, wanted).clip(max=len(among) - 1)
    return among[place] == wanted, place
