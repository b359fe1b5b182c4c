"""Confidence against accuracy, from the lines of the plain pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.audits.conftest import Says, bench_of, count_white, values
from skymoe.errors import UserError
from skymoe.evaluation.audits.calibration import run
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.metrics.calibration import reliability


def test_a_model_that_is_half_sure_and_always_right_is_half_a_unit_off(
    tmp_path: Path, counted: list[Item]
) -> None:
    found = run(bench_of(Says(count_white, 0.5), counted, tmp_path / "out"))
    told = values(found)
    assert told["expected calibration error (ECE)"] == pytest.approx(0.5)
    assert told["mean confidence minus right answers"] == pytest.approx(-0.5)
    assert told["right answers"] == told["right among the surer half"] == 1
    assert [(one["low"], one["n"]) for one in found["reliability"]["bins"] if one["n"]] == [(0.4, 6)]


def test_the_numbers_are_those_of_the_metric(tmp_path: Path, counted: list[Item]) -> None:
    # Right where it is sure: pictures with few tanks.
    engine = Says(lambda picture, query: "1" if int(count_white(picture)) < 3 else count_white(picture))
    bench = bench_of(engine, counted, tmp_path / "out")
    found = run(bench)
    right = [True, False, True, True, True, False]
    same = reliability([0.5] * 6, right)
    assert found["reliability"] == same.to_dict()
    assert found["coverage"][-1]["coverage"] == 1
    assert found["coverage"][-1]["accuracy"] == pytest.approx(4 / 6)


def test_a_model_without_confidence_says_so(tmp_path: Path, counted: list[Item]) -> None:
    with pytest.raises(UserError, match="does not tell how sure"):
        run(bench_of(Says(count_white, None), counted, tmp_path / "out"))
