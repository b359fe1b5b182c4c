"""The paper's numbers as package data."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from skymoe.evaluation.benchmarks import BENCHMARKS
from skymoe.evaluation.published import OURS, every_cell, of_dataset, published

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "published.csv"


def test_every_cell_of_the_paper_is_there() -> None:
    counts = Counter(line["paper_table"] for line in every_cell())
    assert counts == {"1": 234, "2": 91, "3": 132, "4": 48, "5": 78, "6": 15, "7": 15, "8": 40}


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the project's shared folder is not here")
def test_the_cells_are_those_of_the_reference() -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == every_cell()


def test_only_comparable_tables_are_compared() -> None:
    cells = published()
    assert {cell.table for cell in cells} == {"1", "2", "3", "4", "5"}
    # The ablation's captioning column (78.8) is not the BLEU-4 of table 1.
    values = [c.value for c in cells if (c.dataset, c.metric, c.system) == ("UCM-Captions", "bleu4", OURS)]
    assert values == [0.43]
    assert all(0 <= cell.value <= 1 for cell in cells)


def test_no_system_has_two_values_in_one_place() -> None:
    places = Counter((c.task, c.dataset, c.metric, c.system) for c in published())
    assert set(places.values()) == {1}


def test_known_numbers_of_questions_explain_the_printed_fractions() -> None:
    """A rate over n questions is one of n + 1 fractions; far fewer would fit any wrong n."""
    cells = [cell for cell in published() if cell.n is not None and cell.value > 0]
    assert len(cells) > 150
    fitting = [cell for cell in cells if _is_fraction(100 * cell.value, cell.n or 1)]
    assert len(fitting) / len(cells) > 0.9


def _is_fraction(percent: float, n: int) -> bool:
    # Two decimals were printed for these, or one where all fractions have no more; some cut off, not rounded.
    return abs(percent - 100 * round(percent * n / 100) / n) < 0.011


def test_the_papers_own_fractions() -> None:
    lr = {cell.metric: cell for cell in of_dataset("vqa", "RSVQA-LR") if cell.system == OURS}
    # 52 of 53, 51 of 56, 92 of 102.
    assert [(c.n, round(c.value * (c.n or 0))) for c in lr.values()] == [(53, 52), (56, 51), (102, 92)]
    estimate = lr["presence"].estimate()
    assert estimate["low"] < estimate["value"] == 0.9107 < estimate["high"]


def test_without_a_known_number_the_value_stands_alone() -> None:
    cell = of_dataset("caption", "RSICD")[0]
    assert cell.n is None
    assert set(cell.estimate().values()) == {cell.value}


def test_the_benchmarks_know_their_data_set_by_the_papers_name() -> None:
    for benchmark in BENCHMARKS.values():
        if benchmark.published:
            assert of_dataset(benchmark.task, benchmark.published), benchmark.name
    assert of_dataset("caption", "no such data set") == []
