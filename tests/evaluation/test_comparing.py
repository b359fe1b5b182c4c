"""Two models on the same questions: what a paired bootstrap says, and what it must not say."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skymoe.errors import UserError
from skymoe.evaluation.comparing import Comparison, Difference, compare, corrected
from skymoe.evaluation.runs import compare_runs, open_run

Rows = list[dict[str, Any]]
FEW = 500


def answers(task: str, share: float, n: int = 200, seed: int = 0) -> Rows:
    """A model that is right about ``share`` of the questions; the questions do not depend on the seed."""
    truth, luck = random.Random(1), random.Random(seed)
    rows: Rows = []
    for number in range(n):
        value = truth.randint(0, 9)
        right = luck.random() < share
        row: dict[str, Any] = {"id": f"q{number}", "prediction": str(value if right else value + 5)}
        if task == "vqa":
            row |= {"reference": str(value), "question_type": "count" if value < 3 else "presence"}
        elif task == "classify":
            labels = [f"scene {letter}" for letter in "abcdefghij"]
            said = labels[value if right else (value + 1) % 10]
            row |= {"prediction": said, "reference": labels[value], "labels": labels}
        elif task == "ground":
            row |= {"prediction": "{<10><10><50><50>}" if right else "{<60><60><90><90>}"}
            row |= {"reference": [10, 10, 50, 50], "width": 100, "height": 100}
        elif task == "caption":
            words = ["plane", "tree", "road", "pond", "ship"][value % 5]
            row |= {
                "prediction": f"one {words} here ." if right else "many grey things .",
                "references": [f"one {words} here .", f"a {words} ."],
            }
        else:
            row |= {"reference": value}
        rows.append(row)
    return rows


@pytest.mark.parametrize("task", ["vqa", "count", "ground", "classify"])
def test_a_model_does_not_differ_from_itself(task: str) -> None:
    rows = answers(task, 0.6)
    found = compare(task, rows, rows[::-1], resamples=FEW)
    assert found.n == 200
    assert found.right["only a"] == found.right["only b"] == 0
    for difference in found.metrics.values():
        assert difference.difference == {"value": 0, "low": 0, "high": 0}
        assert (difference.p, difference.real) == (1, False)


@pytest.mark.parametrize("task", ["vqa", "count", "ground", "classify"])
def test_a_large_difference_is_real_and_a_small_one_is_not(task: str) -> None:
    worse, better, alike = answers(task, 0.5), answers(task, 0.8, seed=1), answers(task, 0.52, seed=2)
    found = compare(task, worse, better, resamples=FEW)
    first = next(iter(found.metrics.values()))
    assert first.real
    assert first.difference["value"] == pytest.approx(first.b - first.a)
    assert 0.15 < first.difference["low"] < first.difference["value"] < first.difference["high"] < 0.45
    assert sum(found.right.values()) == 200
    found = compare(task, worse, alike, resamples=FEW)
    assert not any(difference.real for difference in found.metrics.values())


def test_values_are_those_of_the_scores_and_rows_may_be_in_any_order() -> None:
    from skymoe.evaluation.scoring import score_records

    for task in ("vqa", "count", "ground", "classify"):
        a, b = answers(task, 0.5), answers(task, 0.8, seed=1)
        found = compare(task, a, b[::-1], resamples=FEW)
        for side, rows in (("a", a), ("b", b)):
            metrics = score_records(task, rows).metrics
            for name, difference in found.metrics.items():
                assert getattr(difference, side) == pytest.approx(metrics[name]["value"], abs=1e-12), (
                    task,
                    name,
                )


def test_captions_are_compared_by_the_corpus_scores(without_java: None) -> None:
    pytest.importorskip("pycocoevalcap")
    from skymoe.evaluation.scoring import score_records

    a, b = answers("caption", 0.4), answers("caption", 0.7, seed=1)
    found = compare("caption", a, b, resamples=FEW)
    metrics = score_records("caption", b).metrics
    assert set(found.metrics) == set(metrics)
    for name, difference in found.metrics.items():
        assert difference.b == pytest.approx(metrics[name]["value"], abs=1e-9)
        assert difference.real
    assert found.right == {}


def test_pairing_makes_the_interval_narrower() -> None:
    """Both err on the same hard questions: what they share cancels out."""
    a = answers("count", 0.5, n=400)
    b = [{**row, "prediction": str(row["reference"])} if number < 20 else row for number, row in enumerate(a)]
    found = compare("count", a, b, resamples=FEW).metrics["accuracy"]
    width = found.difference["high"] - found.difference["low"]
    unpaired = 2 * 1.96 * np.sqrt(2 * 0.25 / 400)
    assert width < unpaired / 3


def test_the_same_seed_gives_the_same_interval() -> None:
    a, b = answers("vqa", 0.5), answers("vqa", 0.6, seed=1)
    first, again, other = (compare("vqa", a, b, seed=seed, resamples=FEW).metrics["aa"] for seed in (0, 0, 1))
    assert first == again
    assert first.difference["value"] == other.difference["value"]


def test_holm_makes_many_comparisons_honest() -> None:
    def one(p: float) -> Difference:
        return Difference(0, 1, {"value": 1, "low": 1, "high": 1}, p)

    given = Comparison("count", "standard", 9, {"x": one(0.01), "y": one(0.04), "z": one(0.03)})
    found = corrected({"b": given})["b"].metrics
    assert {name: value.adjusted for name, value in found.items()} == pytest.approx(
        {"x": 0.03, "y": 0.06, "z": 0.06}
    )
    assert [name for name, value in found.items() if value.real] == ["x"]
    together = corrected({"b": given, "c": given})
    assert together["b"].metrics["x"].adjusted == pytest.approx(0.06)


def test_other_questions_or_references_are_refused() -> None:
    rows = answers("count", 0.5, n=10)
    with pytest.raises(
        UserError, match=r"2 ids are only in A, 0 only in B; compare those in both with --common"
    ):
        compare("count", rows, rows[2:], resamples=FEW)
    found = compare("count", rows, rows[2:], common=True, resamples=FEW)
    assert (found.n, found.notes["left out"]) == (8, "2 ids are only in A, 0 only in B")
    with pytest.raises(UserError, match="nothing can be compared"):
        compare("count", rows, [{**row, "id": "x" + row["id"]} for row in rows], common=True)
    with pytest.raises(UserError, match=r'do not agree about "q0": its \'reference\' is'):
        compare("count", rows, [{**row, "reference": 77} for row in rows])


def folder(root: Path, name: str, share: float, seed: int) -> Path:
    run = root / name
    for benchmark, task in (("airbus-count", "count"), ("rsivqa-ucm", "vqa")):
        (run / benchmark).mkdir(parents=True)
        lines = "".join(json.dumps(row) + "\n" for row in answers(task, share, seed=seed))
        (run / benchmark / "predictions.jsonl").write_text(lines)
    (run / "report.json").write_text(json.dumps({"model": {"name": name}, "results": {}, "settings": {}}))
    return run


def test_two_folders_are_compared_benchmark_by_benchmark(tmp_path: Path) -> None:
    a, b = open_run(folder(tmp_path, "old", 0.5, 0)), open_run(folder(tmp_path, "new", 0.8, 1))
    assert (a.name, b.name) == ("old", "new")
    found = compare_runs(a, b, resamples=FEW)
    assert {name: one.task for name, one in found.items()} == {"airbus-count": "count", "rsivqa-ucm": "vqa"}
    alone = compare_runs(a, b, benchmarks=["rsivqa-ucm"], resamples=FEW)
    assert list(alone) == ["rsivqa-ucm"]
    assert alone["rsivqa-ucm"].metrics["oa"].adjusted <= found["rsivqa-ucm"].metrics["oa"].adjusted
    with pytest.raises(UserError, match="'rsicd' is not in both runs; these are: airbus-count, rsivqa-ucm"):
        compare_runs(a, b, benchmarks=["rsicd"])


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_run(tmp_path / "absent")
    with pytest.raises(UserError, match=r"holds no \*/predictions.jsonl"):
        open_run(tmp_path)
    file = tmp_path / "p.jsonl"
    file.write_text("")
    with pytest.raises(UserError, match="say what it answers with --task"):
        open_run(file)
    run = folder(tmp_path, "old", 0.5, 0)
    with pytest.raises(UserError, match="share no benchmark"):
        compare_runs(open_run(run), open_run(file, "count"))
    (run / "report.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read; run skymoe eval again"):
        open_run(run)
    (run / "report.json").write_text("[]")
    assert open_run(run).name == "old"
