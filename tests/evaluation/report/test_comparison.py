"""Two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation.report.test_webpage import HOSTILE, Reader
from skymoe.evaluation.comparing import compare, corrected
from skymoe.evaluation.report import comparison_markdown, comparison_page, write_comparison
from skymoe.evaluation.report.comparison import _card


def answers(wrong: int) -> list[dict[str, Any]]:
    return [{"id": str(n), "reference": 5, "prediction": "9" if n < wrong else "5"} for n in range(200)]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found = corrected({"rsod": compare("count", answers(100), answers(20), resamples=500)})
    return {"a": "first", "b": "second", "comparisons": {name: one.to_dict() for name, one in found.items()}}


def test_the_page_says_who_is_better(document: dict[str, Any]) -> None:
    text = Reader(comparison_page(document)).text
    for said in (
        "first",
        "second",
        "RSOD",
        "50.0 %",
        "90.0 %",
        "+40.0 points",
        "MAE ↓",
        "−1.60",
        "B is better",
    ):
        assert said in text, said
    assert "only B 80" in text


def test_right_of_the_middle_is_always_better(document: dict[str, Any]) -> None:
    lines = {line["metric"]: line for line in _card("rsod", document["comparisons"]["rsod"])["lines"]}
    for metric in ("accuracy", "MAE ↓", "RMSE ↓"):
        at = lines[metric]["at"]
        assert 0.5 < at["low"] <= at["value"] <= at["high"] <= 1
        assert lines[metric]["verdict"] == "B"


def test_equal_runs_are_not_told_apart() -> None:
    found = compare("count", answers(50), answers(50), resamples=300)
    document = {"a": "a", "b": "b", "comparisons": {"": found.to_dict()}}
    text = Reader(comparison_page(document)).text
    assert "0 B is better" in " ".join(text.split()) or "0B is better" in text
    assert "no difference shown" in text
    assert "| Counting | 200 | accuracy | 75.0 % | 75.0 % | 0.0 points |" in comparison_markdown(document)


def test_names_and_notes_are_escaped(document: dict[str, Any], tmp_path: Path) -> None:
    one = {**document["comparisons"]["rsod"], "notes": {"x": HOSTILE}}
    bad = {"a": HOSTILE, "b": HOSTILE, "comparisons": {HOSTILE: one}}
    write_comparison(bad, tmp_path / "new" / "c.html")
    found = Reader((tmp_path / "new" / "c.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in found.tags}
    assert "<script" not in comparison_markdown(bad)


def test_nothing_in_common_is_a_page() -> None:
    assert "nothing that both" in Reader(comparison_page({"a": "a", "b": "b", "comparisons": {}})).text
