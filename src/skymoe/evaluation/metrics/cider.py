"""CIDEr as COCO has it (CIDEr-D): clipped n-gram weights, a length penalty, document frequencies of this corpus."""

from __future__ import annotations

import numpy as np

from skymoe.evaluation.intervals import Array
from skymoe.evaluation.metrics.ngrams import Counted, Grams, Integers, find

SIGMA = 6.0


def cider(counted: Counted) -> Array:
    """(images,) scores, 0–10. One image alone scores 0: every n-gram of it is in every document."""
    n = counted.images
    references = len(counted.image) - n
    image = counted.image[n:]
    bigrams = (counted.words - 1).clip(0)
    penalty = np.exp(-((bigrams[:n][image] - bigrams[n:]) ** 2) / (2 * SIGMA**2))
    similarity = np.zeros(references)
    for grams in counted.orders:
        similarity += _cosines(counted, grams) * penalty
    per_reference = similarity / len(counted.orders)
    return np.bincount(image, per_reference, minlength=n) / np.bincount(image, minlength=n) * 10.0


def _cosines(counted: Counted, grams: Grams) -> Array:
    """(references,) similarity of each reference to the prediction for its image, by n-grams of one order."""
    n, captions = counted.images, len(counted.image)
    key = counted.image[grams.caption] * grams.kinds + grams.gram
    own = grams.caption < n
    weight = grams.times * _rarity(key[~own], grams.kinds, n)[grams.gram]
    norm = np.sqrt(np.bincount(grams.caption, weight**2, minlength=captions))
    there, place = find(key[~own], key[own])
    wanted, given = weight[~own][there], weight[own][place[there]]
    caption = grams.caption[~own][there]
    shared = np.bincount(caption - n, np.minimum(given, wanted) * wanted, minlength=captions - n)
    norms = norm[:n][counted.image[n:]] * norm[n:]
    return np.divide(shared, norms, out=np.zeros(len(norms)), where=norms != 0)


def _rarity(keys: Integers, kinds: int, images: int) -> Array:
    """(kinds,) logarithm of the number of images over the number of those whose references have the n-gram."""
    pairs = np.unique(keys)
    frequency = np.bincount(pairs % kinds, minlength=kinds) if kinds else np.zeros(0)
    return np.log(float(images)) - np.log(np.maximum(frequency, 1.0))
