"""Mutual information with its chance level: what must hold whatever the routers do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from skymoe.evaluation.routing.information import Labelled, mutual_information

Array = NDArray[np.float64]
tables = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.floats(0, 10)
).filter(lambda table: table.sum() > 1e-3)
SHAPE = {"shuffles": 99, "resamples": 200}


def nmi(table: Array | list[list[float]]) -> float:
    return float(mutual_information(np.asarray(table, dtype=np.float64))[1])


@pytest.mark.parametrize(
    ("table", "bits", "value"),
    [
        ([[1, 0], [0, 1]], 1.0, 1.0),
        ([[3, 3], [1, 1]], 0.0, 0.0),
        ([[5, 0, 0]], 0.0, 0.0),  # one label: nothing is to be told
        ([[2], [7]], 0.0, 0.0),  # one expert: it tells nothing
        ([[1, 0, 0, 0], [0, 1, 1, 0]], 0.9182958340544896, 2 * 0.9182958340544896 / (0.9182958340544896 + np.log2(3))),
        ([[2, 0], [1, 1]], 0.31127812445913283, 2 * 0.31127812445913283 / (1 + 0.8112781244591328)),
    ],
)  # fmt: skip
def test_values_that_can_be_reckoned_by_hand(table: list[list[float]], bits: float, value: float) -> None:
    found = mutual_information(np.array(table, dtype=np.float64))
    assert found[0] == pytest.approx(bits, abs=1e-12)
    assert found[1] == pytest.approx(value, abs=1e-12)


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_it_lies_between_0_and_1_and_knows_no_names(table: Array, random: object) -> None:
    value = nmi(table)
    assert 0 <= value <= 1 + 1e-12
    assert nmi(table.T) == pytest.approx(value, abs=1e-9)
    assert nmi(table[::-1, ::-1]) == pytest.approx(value, abs=1e-9)
    assert nmi(7.5 * table) == pytest.approx(value, abs=1e-9)
    assert nmi(np.pad(table, ((0, 1), (0, 2)))) == pytest.approx(value, abs=1e-9)  # unused experts


@given(
    arrays.arrays(np.float64, 4, elements=st.floats(0.1, 9)),
    arrays.arrays(np.float64, 3, elements=st.floats(0.1, 9)),
)
@settings(max_examples=40, deadline=None)
def test_independent_choices_tell_nothing(experts: Array, labels: Array) -> None:
    assert nmi(np.outer(labels, experts)) == pytest.approx(0, abs=1e-9)


def test_many_tables_at_once_are_each_alone() -> None:
    many = np.random.default_rng(0).random((5, 3, 4))
    bits, values = mutual_information(many)
    assert bits.shape == values.shape == (5,)
    for table, value in zip(many, values, strict=True):
        assert nmi(table) == pytest.approx(value)


def drawn(pictures: int, strength: float, seed: int, tokens: int = 12) -> tuple[Array, list[int], list[int]]:
    """Two of four labels a picture; the experts' chances come from the label (by ``strength``) and from the picture."""
    rng = np.random.default_rng(seed)
    chances = np.full((4, 8), 1 / 8) + strength * np.eye(4, 8)
    rows, labels, groups = [], [], []
    for picture in range(pictures):
        own = rng.dirichlet(np.full(8, 5.0))
        for label in rng.permutation(4)[:2]:
            p = chances[label] * own
            rows.append(rng.multinomial(tokens, p / p.sum()) / tokens)
            labels.append(int(label))
            groups.append(picture)
    return np.array(rows), labels, groups


def test_small_samples_are_corrected_for_their_bias() -> None:
    rows, labels, groups = drawn(5000, 0.1, seed=1)
    truth = nmi(Labelled(labels, groups).table(rows))
    raw, corrected, held = [], [], 0
    for seed in range(20):
        rows, labels, groups = drawn(40, 0.1, seed=100 + seed)
        one = Labelled(labels, groups, seed=seed, **SHAPE).information(rows)
        raw.append(one.nmi)
        corrected.append(one.excess)
        held += one.low <= truth <= one.high
    assert np.mean(raw) > 1.4 * truth
    assert np.mean(corrected) == pytest.approx(truth, rel=0.35)
    assert held >= 17  # of 20 intervals of 95 %


def test_where_there_is_nothing_chance_is_told_from_something() -> None:
    false_alarms = 0
    for seed in range(40):
        rows, labels, groups = drawn(30, 0.0, seed=seed)
        one = Labelled(labels, groups, seed=seed, **SHAPE).information(rows)
        assert one.within is not None
        false_alarms += one.chance.p < 0.05
        assert one.chance.low <= one.chance.mean <= one.chance.high
    assert false_alarms <= 6  # two are expected


def test_tokens_of_one_picture_are_no_independent_draws() -> None:
    """Each picture has one label and sends all of its tokens to one expert: with few pictures that is little proof."""
    rng = np.random.default_rng(3)
    p_values = []
    for seed in range(40):
        groups = np.repeat(np.arange(8), 5)
        labels = np.repeat(rng.permutation([0, 0, 0, 0, 1, 1, 1, 1]), 5)
        rows = np.eye(4)[np.repeat(rng.integers(0, 4, 8), 5)]
        p_values.append(
            Labelled(labels.tolist(), groups.tolist(), seed=seed, **SHAPE).information(rows).chance.p
        )
    # Shuffling the forty questions one by one would find "p < 0.05" in nearly all of them.
    assert np.mean(np.array(p_values) < 0.05) <= 0.125


def test_what_the_picture_explains_is_not_about_the_question() -> None:
    """Two data sets: one asks 0 and 1, the other 2 and 3, and experts tell the data sets apart and nothing else."""
    labels = [0, 1] * 20 + [2, 3] * 20
    groups = [n // 2 for n in range(80)]
    rows = np.eye(8)[[0] * 40 + [1] * 40]
    one = Labelled(labels, groups, **SHAPE).information(rows)
    assert one.excess > 0.4
    assert one.chance.p == 0.01
    assert one.within is not None
    assert one.beyond_picture == pytest.approx(0, abs=1e-9)
    assert one.within.p == 1.0


def test_a_question_that_decides_the_expert_is_told_beyond_the_picture() -> None:
    labels = [0, 1, 2] * 20
    groups = [n // 3 for n in range(60)]
    one = Labelled(labels, groups, **SHAPE).information(np.eye(3)[labels])
    assert one.nmi == pytest.approx(1)
    assert one.bits == pytest.approx(np.log2(3))
    assert one.within is not None
    assert one.within.p == 0.01
    assert one.beyond_picture is not None
    assert one.beyond_picture > 0.9


def test_shuffles_deal_labels_of_whole_pictures() -> None:
    labels = ["a", "a", "a", "b", "b", "c"]
    groups = [7, 7, 7, 1, 1, 4]
    made = Labelled(labels, groups, **SHAPE)
    assert not made.crossed
    for row in made._shuffled(across=True):
        assert len(set(row[:3])) == len(set(row[3:5])) == 1  # a picture's questions get one picture's labels
    mixed = Labelled(["a", "b", "c", "a"], [0, 0, 1, 1], **SHAPE)
    assert mixed.crossed
    for row in mixed._shuffled(across=False):
        assert sorted(row[:2]) == [0, 1]
        assert sorted(row[2:]) == [0, 2]


def test_the_same_seed_gives_the_same_numbers() -> None:
    rows, labels, groups = drawn(20, 0.2, seed=5)
    first, again = (Labelled(labels, groups, seed=4, **SHAPE).information(rows) for _ in range(2))
    assert first == again
