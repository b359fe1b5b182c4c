"""Means, deviations, and how large noise is."""

import math

import pytest

from skymoe.train.sweeps.schema import Judged
from skymoe.train.sweeps.table import Entry, pooled, shown, student


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (7, 2.3646), (14, 2.1448), (60, 2.0003)],
)
def test_the_quantile_of_student_s_t(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.02 if freedom == 3 else 0.004)


def test_noise_is_pooled_over_cells() -> None:
    """Two cells of two repeats, ±1 and ±2 around their means: variances 2 and 8, so 5 for two degrees of freedom."""
    noise = pooled([[9.0, 11.0], [48.0, 52.0]])
    assert noise is not None
    assert (noise.deviation, noise.freedom, noise.repeats) == (pytest.approx(math.sqrt(5)), 2, 2)
    assert noise.least == pytest.approx(4.3027 * math.sqrt(5), rel=1e-3)
    assert pooled([]) is None


def test_an_entry() -> None:
    entry = Entry({1: 0.5, 2: 0.6})
    assert entry.mean == pytest.approx(0.55)
    assert entry.deviation == pytest.approx(math.sqrt(0.005))
    alone = Entry({1: 0.5})
    assert (alone.mean, alone.deviation, alone.blind_mean) == (0.5, None, None)


def test_how_values_are_shown() -> None:
    rate = Judged(benchmark="airbus-ground")
    error = Judged(benchmark="airbus-count", metric="mae")
    assert shown(rate, 0.6346, 0.0123) == "63.5 ± 1.2"
    assert shown(error, 2.9476) == "2.948"
    assert shown(rate, None) == "·"
