"""Calibration and coverage: by hand, and what must hold for any answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skymoe.errors import UserError
from skymoe.evaluation.metrics.calibration import coverage, reliability

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


def test_reliability_by_hand() -> None:
    found = reliability([0.95, 0.85, 0.9, 0.15], [True, False, True, False], bins=2)
    # Upper bin: 0.9 sure, 2 of 3 right; lower bin: 0.15 sure, none right.
    upper, lower = abs(2.7 - 2), 0.15
    assert found.ece["value"] == pytest.approx((upper + lower) / 4)
    assert found.mce == pytest.approx(upper / 3)
    assert found.brier["value"] == pytest.approx((0.05**2 + 0.85**2 + 0.1**2 + 0.15**2) / 4)
    assert found.overconfidence == pytest.approx(2.85 / 4 - 0.5)
    assert found.accuracy["value"] == 0.5
    assert [bin.n for bin in found.bins] == [1, 3]
    assert found.bins[1].accuracy is not None
    assert found.bins[1].accuracy["value"] == pytest.approx(2 / 3)
    json.dumps(found.to_dict())


def test_the_ends_have_bins_and_empty_bins_stay() -> None:
    found = reliability([0.0, 1.0, 0.1], [False, True, True], bins=10)
    assert len(found.bins) == 10
    assert [bin.n for bin in found.bins] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]  # an upper end belongs to its bin
    assert found.bins[4].accuracy is None
    assert found.bins[4].confidence is None


def test_coverage_by_hand() -> None:
    found = coverage([0.9, 0.8, 0.8, 0.1], [True, True, False, False])
    # The two equally sure answers come together: 1 of 1, 2 of 3, 2 of 4.
    assert found.coverage == (0.25, 0.75, 1.0)
    assert found.accuracy == pytest.approx((1, 2 / 3, 1 / 2))
    assert found.threshold == (0.9, 0.8, 0.1)
    assert found.aurc == pytest.approx(0 / 4 + 1 / 3 * 2 / 4 + 1 / 2 / 4)
    assert found.best == pytest.approx((1 / 3 + 2 / 4) / 4)
    json.dumps(found.to_dict())


def test_a_thinned_curve_keeps_its_end() -> None:
    found = coverage([n / 1000 for n in range(1000)], [n % 3 > 0 for n in range(1000)], points=10)
    assert len(found.coverage) == 10
    assert found.coverage[-1] == 1
    assert found.accuracy[-1] == pytest.approx(666 / 1000)


@pytest.mark.parametrize("strange", [1.2, -0.1, float("nan")])
def test_what_is_no_probability_is_named(strange: float) -> None:
    with pytest.raises(UserError, match="confidence"):
        reliability([0.5, strange], [True, True])
    with pytest.raises(UserError, match="at least one"):
        coverage([], [])


@given(ANSWERS)
def test_bounds_and_order(answers: list[tuple[float, bool]]) -> None:
    sure, right = [s for s, _ in answers], [r for _, r in answers]
    found = reliability(sure, right)
    assert sum(bin.n for bin in found.bins) == len(answers)
    assert abs(found.overconfidence) - 1e-9 <= found.ece["value"] <= found.mce + 1e-9 <= 1 + 2e-9
    assert reliability(sure[::-1], right[::-1]).ece["value"] == pytest.approx(found.ece["value"], abs=1e-9)
    curve = coverage(sure, right)
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(sum(right) / len(right))
    assert curve.best - 1e-9 <= curve.aurc <= 1
    assert list(curve.threshold) == sorted(curve.threshold, reverse=True)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_certainty_that_is_right_has_no_error(right: list[bool]) -> None:
    found = reliability([float(r) for r in right], right)
    assert (found.ece["value"], found.mce, found.brier["value"]) == (0, 0, 0)
    curve = coverage([float(r) for r in right], right)
    assert curve.accuracy[0] == float(any(right))
