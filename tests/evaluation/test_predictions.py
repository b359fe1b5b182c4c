"""Predictions are written as they come; a killed run continues to the very same file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.conftest import ByPixels
from skymoe.errors import UserError
from skymoe.evaluation.baselines import mean_colour
from skymoe.evaluation.benchmarks import Item, get_benchmark
from skymoe.evaluation.predictions import batches, predict, read_predictions


@pytest.fixture
def items(miniatures: Path) -> list[Item]:
    return get_benchmark("airbus-ground").items("train", root=miniatures)[:40]


def run(engine: ByPixels, items: list[Item], path: Path, **options: object) -> list[dict]:
    return predict(engine, items, path, {"model": "m"}, batch_size=4, **options)  # type: ignore[arg-type]


def test_questions_on_one_picture_stay_together(items: list[Item]) -> None:
    plan = list(batches(items, 4))
    assert [item for batch in plan for item in batch] == items
    assert all(len(batch) <= 4 for batch in plan)
    homes = [{item.sample.id for item in batch} for batch in plan]
    assert sum(map(len, homes)) == len({item.sample.id for item in items})
    # A picture with more questions than a batch has room for is one batch of its own.
    assert [len(batch) for batch in batches(items[:3], 1)] == [
        sum(other.sample.id == name for other in items[:3])
        for name in dict.fromkeys(item.sample.id for item in items[:3])
    ]


def test_a_picture_is_opened_once_for_all_its_questions(items: list[Item], tmp_path: Path) -> None:
    engine = ByPixels()
    run(engine, items, tmp_path / "p.jsonl")
    assert [shown for shown, _ in engine.calls] == [len({i.sample.id for i in b}) for b in batches(items, 4)]


@pytest.mark.parametrize("fail_at", [0, 1, 5])
def test_resumed_is_uninterrupted(items: list[Item], tmp_path: Path, fail_at: int) -> None:
    whole = run(ByPixels(), items, tmp_path / "whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        run(ByPixels(fail_at), items, tmp_path / "killed.jsonl")
    answered: list[int] = []
    again = run(ByPixels(), items, tmp_path / "killed.jsonl", advance=answered.append)
    assert again == whole
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sum(answered) == len(items)
    assert answered[0] == sum(len(batch) for batch in list(batches(items, 4))[:fail_at])


@pytest.mark.parametrize("lost", [1, 30, 400, 1000])
def test_a_torn_file_is_mended(items: list[Item], tmp_path: Path, lost: int) -> None:
    path = tmp_path / "p.jsonl"
    run(ByPixels(), items, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    run(ByPixels(), items, path)
    assert path.read_bytes() == whole


def test_a_finished_run_asks_nothing(items: list[Item], tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    first = run(ByPixels(), items, path)
    engine = ByPixels()
    assert run(engine, items, path) == first == read_predictions(path)
    assert engine.calls == []


def test_predictions_of_other_settings_are_not_mixed(items: list[Item], tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    run(ByPixels(), items, path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"constrained True, not False: give --fresh"):
        run(ByPixels(), items, path, constrained=False)
    with pytest.raises(UserError, match=r"made with other questions \(\d+, now \d+\): give --fresh"):
        run(ByPixels(), items[:-1], path)
    assert path.read_bytes() == before


def test_a_line_is_a_line_whatever_the_answer_holds(miniatures: Path, tmp_path: Path) -> None:
    items = get_benchmark("ucm-captions").items("train", root=miniatures)
    path = tmp_path / "p.jsonl"
    lines = predict(ByPixels(), items, path, {})
    assert all("\u2028" in line["prediction"] for line in lines)
    text = path.read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == lines  # str.splitlines knows U+2028
    assert {"id", "question", "references", "prediction", "confidence"} == set(lines[0])


def test_a_blind_model_sees_no_picture(miniatures: Path, tmp_path: Path) -> None:
    items = get_benchmark("ucm-captions").items("train", root=miniatures)
    seen = predict(ByPixels(), items, tmp_path / "a.jsonl", {})
    blind = predict(ByPixels(), items, tmp_path / "b.jsonl", {}, see=mean_colour)
    assert [line["id"] for line in blind] == [line["id"] for line in seen]
    assert [line["prediction"] for line in blind] != [line["prediction"] for line in seen]
