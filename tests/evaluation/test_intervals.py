"""Intervals enclose their value, match published numbers, and repeat exactly."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skymoe.evaluation.intervals import bootstrap, bootstraps, mean, mean_of_groups, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_gives_newcombes_numbers(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert found["value"] == successes / n
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=5e-5)


def test_wilson_by_hand() -> None:
    # z = 2, 5 of 10: centre (0.5 + 4/20) / 1.4 = 0.5, half 2/1.4 · sqrt(0.025 + 0.01) = 0.2672612
    assert wilson(5, 10, z=2) == pytest.approx({"value": 0.5, "low": 0.2327388, "high": 0.7672612}, abs=1e-6)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_in_bounds_and_mirrors(pair: tuple[int, int]) -> None:
    k, n = pair
    found, mirrored = wilson(k, n), wilson(n - k, n)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert found["low"] == pytest.approx(1 - mirrored["high"], abs=1e-9)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_mean_is_the_mean_inside_its_interval(scores: list[float]) -> None:
    found = mean(scores)
    assert found["value"] == pytest.approx(np.mean(scores), abs=1e-9)
    assert min(scores) - 1e-9 <= found["low"] <= found["value"] <= found["high"] <= max(scores) + 1e-9


def test_bootstrap_repeats_and_the_seed_moves_only_the_ends() -> None:
    scores = np.random.default_rng(1).normal(size=200)
    assert mean(scores, seed=3) == mean(scores, seed=3)
    assert mean(scores, seed=3)["value"] == mean(scores, seed=4)["value"]
    assert mean(scores, seed=3)["low"] != mean(scores, seed=4)["low"]


def test_bootstrap_of_a_mean_comes_near_the_normal_interval() -> None:
    scores = np.random.default_rng(2).normal(10, 2, size=400)
    half = 1.96 * scores.std() / np.sqrt(400)
    found = mean(scores)
    assert found["low"] == pytest.approx(scores.mean() - half, abs=0.03)
    assert found["high"] == pytest.approx(scores.mean() + half, abs=0.03)


def test_one_item_has_an_interval_without_width() -> None:
    assert mean([0.25]) == {"value": 0.25, "low": 0.25, "high": 0.25}


def test_mean_of_groups_weighs_groups_alike() -> None:
    found = mean_of_groups([1, 0, 0, 0, 1], ["a", "b", "b", "b", "b"])
    assert found["value"] == pytest.approx((1 + 0.25) / 2)
    # "a" is drawn within itself: it is always right, so the mean never falls below one half.
    assert found["low"] >= 0.5


def test_sums_may_be_any_corpus_score() -> None:
    rows = np.array([[3.0, 4.0], [1.0, 4.0]])  # matched, guessed
    assert bootstrap(rows, lambda sums: sums[:, 0] / sums[:, 1])["value"] == 0.5


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=2, max_size=40), st.randoms())
def test_the_order_of_the_items_does_not_matter(items: list[tuple[str, bool]], rng: random.Random) -> None:
    mixed = rng.sample(items, len(items))
    assert mean([hit for _, hit in items]) == mean([hit for _, hit in mixed])
    groups = [
        mean_of_groups([hit for _, hit in some], [group for group, _ in some]) for some in (items, mixed)
    ]
    assert groups[0] == groups[1]


def test_equal_rows_are_drawn_as_single_items_are() -> None:
    # 300 hits of 1000: the standard deviation of their share is that of a binomial draw.
    found = mean([True] * 300 + [False] * 700)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert found["low"] == pytest.approx(0.3 - half, abs=4e-3)
    assert found["high"] == pytest.approx(0.3 + half, abs=4e-3)


def test_several_statistics_share_their_draws() -> None:
    rows = np.stack([np.arange(50.0), np.ones(50)], axis=1)
    found = bootstraps(rows, {"sum": lambda sums: sums[:, 0], "twice": lambda sums: 2 * sums[:, 0]}, seed=3)
    assert found["sum"] == bootstrap(rows, lambda sums: sums[:, 0], seed=3)
    assert found["twice"] == {end: 2 * value for end, value in found["sum"].items()}
