"""Passes: asked once, kept, continued, and never mixed with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluation.audits.conftest import Says, bench_of, count_item, count_white, row, tanks
from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Settings
from skymoe.evaluation.benchmarks import Item
from skymoe.tasks import Query


def test_a_pass_is_asked_once_and_then_read(tmp_path: Path, counted: list[Item]) -> None:
    engine = Says(count_white)
    bench = bench_of(engine, counted, tmp_path / "out")
    assert bench.plain() is bench.plain()
    assert [line["prediction"] for line in bench.plain()] == ["1", "2", "3", "7", "12", "0"]
    again = bench_of(engine, counted, tmp_path / "out")
    assert again.plain() == bench.plain()
    assert engine.asked == [6]


def test_a_stopped_pass_continues(tmp_path: Path, counted: list[Item]) -> None:
    class Stops(Says):
        def answer(self, *given: Any, **options: Any) -> Any:
            if len(self.asked) == 2:
                raise KeyboardInterrupt
            return super().answer(*given, **options)

    with pytest.raises(KeyboardInterrupt):
        bench_of(Stops(count_white), counted, tmp_path / "out", batch_size=2).plain()
    engine = Says(count_white)
    found = bench_of(engine, counted, tmp_path / "out", batch_size=2).plain()
    assert [line["prediction"] for line in found] == ["1", "2", "3", "7", "12", "0"]
    assert engine.asked == [2]


def test_passes_that_were_made_otherwise_are_refused(tmp_path: Path, counted: list[Item]) -> None:
    bench_of(Says(count_white), counted, tmp_path / "out").ask("coarse", factor=0.5)
    with pytest.raises(UserError, match=r"factor 0\.5, not 0\.25"):
        bench_of(Says(count_white), counted, tmp_path / "out").ask("coarse", factor=0.25)


def test_equal_questions_keep_their_own_pictures(tmp_path: Path) -> None:
    query = count_item(tanks(tmp_path, 3, row(3))).query
    items = [Item(str(n), tanks(tmp_path, n, row(n)), query) for n in (1, 2)]
    seen: list[tuple[str, str]] = []

    def look(item: Item, picture: Image.Image) -> Image.Image:
        seen.append((item.id, count_white(picture)))
        return picture

    bench_of(Says(count_white), items, tmp_path / "out").ask("look", alter=look)
    assert seen == [("1", "1"), ("2", "2")]


def test_a_picture_is_altered_once_for_all_its_questions(tmp_path: Path) -> None:
    item = count_item(tanks(tmp_path, 3, row(3)))
    seen: list[int] = []

    def look(item: Item, picture: Image.Image) -> Image.Image:
        seen.append(id(picture))
        return picture

    items = [Item(f"a#{n}", item.sample, item.query) for n in range(3)]
    bench_of(Says(count_white), items, tmp_path / "out").ask("look", alter=look)
    assert len(seen) == 1


def test_the_engine_gets_its_batch_size_back(tmp_path: Path, counted: list[Item]) -> None:
    class Sized(Says):
        batch_size = 7

    engine = Sized(count_white)
    bench_of(engine, counted, tmp_path / "out").ask("alone", batch_size=1)
    assert engine.asked == [1] * 6
    assert engine.batch_size == 7


def test_the_folder_name_tells_runs_apart() -> None:
    assert Settings().folder == Settings(fill="mean").folder == ""
    assert Settings(limit=None, seed=3).folder == "all-seed3"
    assert Settings("val", 8, num_beams=1, constrained=False).folder == "val-limit8-beams1-free"


def test_what_else_an_engine_tells_is_told_through_the_changes(tmp_path: Path, counted: list[Item]) -> None:
    class Foreign(Says):
        settings = {"dtype": "float32"}

        def question(self, query: Any) -> str:
            return f"How many {query.subject}, my friend?"

    bench = bench_of(Foreign(count_white), counted, tmp_path / "out")
    lines = bench.ask("look", alter=lambda item, picture: picture)
    assert lines[0]["question"] == "How many storage tank, my friend?"
    assert '"dtype": "float32"' in (tmp_path / "out" / "look.settings.json").read_text(encoding="utf-8")


def test_boxes_are_read_in_the_notation_of_the_plain_answers(tmp_path: Path) -> None:
    sample = tanks(tmp_path, 1, [(40, 40)])
    query = Query("ground", "the storage tank", "-", box=(40.0, 40.0, 52.0, 52.0), official=True)
    items = [Item("a", sample, query), Item("b", sample, query)]
    engine = Says(lambda picture, query: "[250, 250, 325, 325]")  # of 1,000
    for boxes, right in (("qwen", True), ("geochat", False)):
        bench = bench_of(engine, items, tmp_path / boxes, boxes=boxes)
        assert [item["correct"] for item in bench.score(bench.plain()).items] == [right, right]
