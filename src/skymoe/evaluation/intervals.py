"""95 % intervals: Wilson's for rates, a seeded bootstrap for everything that is a function of sums over items."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z_95 = NormalDist().inv_cdf(0.975)
RESAMPLES = 1000
_CELLS = 4_000_000  # weights drawn at a time: 32 MB


class Estimate(TypedDict):
    """A value and the two ends of its 95 % interval."""

    value: float
    low: float
    high: float


Metrics = dict[str, Estimate]


def wilson(successes: int, n: int, z: float = Z_95) -> Estimate:
    """The share ``successes / n`` with Wilson's score interval; it stays within 0–1 and works for 0 and n successes."""
    assert 0 <= successes <= n, f"{successes} successes of {n}"
    assert n > 0, "a rate needs at least one item"
    share = successes / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not push an end past the value it encloses.
    return {
        "value": share,
        "low": min(share, max(0.0, middle - half)),
        "high": max(share, min(1.0, middle + half)),
    }


def bootstrap(
    rows: Array,
    statistic: Callable[[Array], Array],
    *,
    strata: Sequence[object] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A statistic of column sums, and the 2.5 % and 97.5 % quantiles of it over resampled items.

    ``rows`` is (n items, k columns); ``statistic`` maps (R, k) sums to (R,) values: for a mean, a column of scores
    and one of ones, first divided by second. Corpus scores (BLEU, METEOR) are recomputed from resampled sums, not
    averaged over items. With ``strata`` (one key an item) items are drawn within their stratum, so that none empties.
    The value does not depend on the seed, the interval not on the items' order, and it always holds the value.
    """
    found = bootstraps(rows, {"": statistic}, strata=strata, seed=seed, resamples=resamples)
    return found[""]


def bootstraps(
    rows: Array,
    statistics: Mapping[str, Callable[[Array], Array]],
    *,
    strata: Sequence[object] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Metrics:
    """Several statistics of the same rows over the same resampled items, each as :func:`bootstrap` gives it."""
    rows = np.asarray(rows, dtype=np.float64)
    assert rows.ndim == 2, "one row an item"
    assert len(rows), "at least one item"
    rng = np.random.default_rng(seed)
    sums = _resampled(rows, strata, rng, resamples)
    whole = rows.sum(axis=0, keepdims=True)
    found: Metrics = {}
    for name, statistic in statistics.items():
        value = float(statistic(whole)[0])
        low, high = (float(v) for v in np.quantile(statistic(sums), (0.025, 0.975)))
        found[name] = {"value": value, "low": min(low, value), "high": max(high, value)}
    return found


def mean(scores: Sequence[float] | Array, *, seed: int = 0) -> Estimate:
    """The mean of per-item scores with its bootstrap interval."""
    column = np.asarray(scores, dtype=np.float64)
    rows = np.stack([column, np.ones(len(column))], axis=1)
    return bootstrap(rows, lambda sums: sums[:, 0] / sums[:, 1], seed=seed)


def mean_of_groups(scores: Sequence[float] | Array, groups: Sequence[str], *, seed: int = 0) -> Estimate:
    """The unweighted mean of the groups' mean scores; items are resampled within their group."""
    names = sorted(set(groups))
    place = {name: column for column, name in enumerate(names)}
    rows = np.zeros((len(groups), len(names)))
    for row, (score, group) in enumerate(zip(scores, groups, strict=True)):
        rows[row, place[group]] = score
    sizes = np.bincount([place[group] for group in groups], minlength=len(names))
    return bootstrap(rows, lambda sums: (sums / sizes).mean(axis=1), strata=groups, seed=seed)


def _resampled(
    rows: Array, strata: Sequence[object] | None, rng: np.random.Generator, resamples: int
) -> Array:
    """(resamples, k) column sums of drawn items."""
    members: dict[str, list[int]] = {}
    for item, key in enumerate(strata if strata is not None else [None] * len(rows)):
        members.setdefault(str(key), []).append(item)
    sums = np.zeros((resamples, rows.shape[1]))
    for _, items in sorted(members.items()):
        # Equal rows are drawn together: a quarter of a million right and wrong answers are two kinds of rows.
        # Sorted as they come, they also make the interval independent of the items' order.
        kinds, times = np.unique(rows[items], axis=0, return_counts=True)
        block = max(1, _CELLS // len(kinds))
        for start in range(0, resamples, block):
            size = min(block, resamples - start)
            weights = rng.multinomial(len(items), times / len(items), size=size)
            sums[start : start + size] += weights.astype(np.float64) @ kinds
    return sums
