"""BLEU-1…4 of a corpus as COCO has it: clipped n-grams of all images together, closest reference length."""

from __future__ import annotations

import numpy as np

from skymoe.evaluation.intervals import Array
from skymoe.evaluation.metrics.ngrams import Counted, find

ORDERS = 4
COLUMNS = 2 * ORDERS + 2
_TINY, _SMALL = 1e-15, 1e-9  # pycocoevalcap's guards against division by zero, part of its values


def rows(counted: Counted) -> Array:
    """(images, 10) statistics that may be summed: n-grams given (orders 1–4), n-grams matched (1–4), words, and the
    closest reference's words (ties: the shorter)."""
    n = counted.images
    found = np.zeros((n, COLUMNS))
    words, reference_words = counted.words[:n], counted.words[n:]
    image = counted.image[n:]
    for order, grams in enumerate(counted.orders[:ORDERS]):
        found[:, order] = (words - order).clip(0)
        key = counted.image[grams.caption] * grams.kinds + grams.gram
        own = grams.caption < n
        # An n-gram counts as often as it stands in that reference of the image which has it most often.
        sequence = np.argsort(key[~own], kind="stable")
        names, first = np.unique(key[~own][sequence], return_index=True)
        times = grams.times[~own][sequence]
        most = np.maximum.reduceat(times, first) if len(first) else times
        there, place = find(key[own], names)
        matched = np.minimum(grams.times[own][there], most[place[there]])
        found[:, ORDERS + order] = np.bincount(grams.caption[own][there], matched, minlength=n)
    distance = np.abs(reference_words - words[image])
    # Of each image the reference that is closest, then shortest.
    sequence = np.lexsort((reference_words, distance, image))
    _, first = np.unique(image[sequence], return_index=True)
    found[:, 8], found[:, 9] = words, reference_words[sequence][first]
    return found


def bleu(sums: Array, order: int) -> Array:
    """BLEU of one order from sums of :func:`rows`, (R, 10 or more) → (R,)."""
    precisions = (sums[:, ORDERS : ORDERS + order] + _TINY) / (sums[:, :order] + _SMALL)
    ratio = (sums[:, 8] + _TINY) / (sums[:, 9] + _SMALL)
    penalty = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1.0)), 1.0)
    return precisions.prod(axis=1) ** (1 / order) * penalty
