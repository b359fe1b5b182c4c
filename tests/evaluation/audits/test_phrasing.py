"""Other wordings: they are real ones, they reach the model as they are, and differences are counted rightly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluation.audits.conftest import Says, bench_of, count_item, count_white, row, tanks, values
from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.evaluation.audits.phrasing import run, wordings
from skymoe.evaluation.benchmarks import Item
from skymoe.tasks import Query, get_task, read_request
from skymoe.tasks.labels import AID_LABELS


class Talks(Says):
    """Answers typed questions by counting, free ones by a function of the words; it remembers the words."""

    def __init__(self, talk: Any) -> None:
        super().__init__(count_white)
        self.talk = talk
        self.heard: list[tuple[int, str]] = []

    def ask(self, images: Sequence[Any], question: str) -> list[Answer]:
        self.heard.append((len(images), question))
        return [Answer("vqa", self.talk(image, question)) for image in images]


def item_of(query: Query, tmp_path: Path) -> Item:
    return Item("q", tanks(tmp_path, 1, row(1)), query)


@pytest.mark.parametrize(
    "query",
    [
        Query("count", "storage tank", "3"),
        Query("classify", target="port", labels=AID_LABELS),
        Query("ground", "the largest storage tank", "{<1><2><3><4>}", box=(1, 2, 3, 4)),
        Query("vqa", "Does this picture contain trees?", "yes", kind="presence"),
        Query("vqa", "What is the theme of this picture?", "port", kind="theme"),
        Query("vqa", "How many buildings in the picture?", "two", kind="count"),
    ],
    ids=lambda query: f"{query.task}-{query.kind}",
)
def test_five_wordings_are_five_and_mean_the_same_task(query: Query, tmp_path: Path) -> None:
    item = item_of(query, tmp_path)
    found = wordings(item, 5)
    assert len({words.lower().rstrip("?.! ") for words in found}) == 5
    assert found == wordings(item, 5)
    if query.task != "vqa":
        assert {read_request(words).task for words in found} == {query.task}


def test_a_question_of_no_known_family_keeps_its_words(tmp_path: Path) -> None:
    found = wordings(item_of(Query("vqa", "Why is the sky so near?", "clouds", kind="other"), tmp_path), 5)
    assert len(found) == 5
    assert all("why is the sky so near" in words.lower() for words in found)


def test_one_wording_is_one_for_all_pictures(tmp_path: Path, counted: list[Item]) -> None:
    assert len({tuple(wordings(item, 5)) for item in counted}) == 1


def test_the_words_reach_the_model_together(tmp_path: Path, counted: list[Item]) -> None:
    engine = Talks(lambda picture, words: count_white(picture))
    bench = bench_of(engine, counted, tmp_path / "out")
    told = values(run(bench))
    assert engine.heard == [(6, words) for words in wordings(counted[0], 5)]
    assert told["all wordings get the same answer"] == told["right in every wording"] == 1
    lines = (tmp_path / "out" / "wording-2.jsonl").read_text(encoding="utf-8")
    assert wordings(counted[0], 5)[1] in lines


def test_a_model_that_hangs_on_words_is_found_out(tmp_path: Path, counted: list[Item]) -> None:
    second = wordings(counted[0], 5)[1]
    engine = Talks(lambda picture, words: "100" if words == second else count_white(picture))
    found = run(bench_of(engine, counted, tmp_path / "out"))
    told = values(found)
    assert told["accuracy, evaluation's wording, typed"] == told["accuracy, best wording"] == 1
    assert told["accuracy, worst wording"] == told["right in every wording"] == 0
    assert told["accuracy, mean of 5 wordings, free"] == pytest.approx(0.8)
    assert told["two wordings get the same answer"] == pytest.approx(0.6)  # 6 of 10 pairs
    assert told["all wordings get the same answer"] == 0
    assert [one["right"]["value"] for one in found["wordings"]] == [1, 1, 0, 1, 1, 1]
    assert found["wordings"][0]["example"] == get_task("count").prompt(counted[0].query)
    assert len(found["different"]) == 6


def test_ways_to_write_one_answer_are_one_answer(tmp_path: Path, counted: list[Item]) -> None:
    def talk(picture: Any, words: str) -> str:
        return f"There are {count_white(picture)}." if "How" in words else count_white(picture)

    told = values(run(bench_of(Talks(talk), counted, tmp_path / "out")))
    assert told["all wordings get the same answer"] == 1


def test_models_of_others_are_asked_in_place_of_their_own_question(
    tmp_path: Path, counted: list[Item]
) -> None:
    class Foreign(Says):
        heard: list[str] = []

        def question(self, query: Query) -> str:
            return "its own"

        def answer(self, images: Any, queries: Any, **options: Any) -> Any:
            self.heard += [self.question(query) for query in queries]
            return super().answer(images, queries, **options)

    engine = Foreign(count_white)
    told = values(run(bench_of(engine, counted, tmp_path / "out")))
    assert engine.heard == [words for words in wordings(counted[0], 5) for _ in counted] + ["its own"] * 6
    assert told["all wordings get the same answer"] == 1
    assert engine.question(counted[0].query) == "its own"
    assert wordings(counted[0], 5)[2] in (tmp_path / "out" / "wording-3.jsonl").read_text(encoding="utf-8")


def test_what_cannot_be_asked_in_own_words_says_so(tmp_path: Path, counted: list[Item]) -> None:
    with pytest.raises(UserError, match="cannot be asked in one's own words"):
        run(bench_of(Says(count_white), counted, tmp_path / "out"))
    with pytest.raises(UserError, match="at least 2"):
        run(bench_of(Talks(count_white), counted, tmp_path / "out", wordings=1))


def test_different_questions_each_get_their_answer(tmp_path: Path) -> None:
    items = []
    for number, name in ((1, "tree"), (2, "ship"), (3, "tree")):
        sample = tanks(tmp_path, number, row(number))
        items.append(
            Item(sample.id, sample, Query("vqa", f"Is there a {name} in this image?", "yes", kind="presence"))
        )
    engine = Talks(lambda picture, words: f"{'tree' in words} {count_white(picture)}")
    bench = bench_of(engine, items, tmp_path / "out")
    run(bench)
    lines = [bench.ask(f"wording-{n}") for n in range(1, 6)]
    assert {tuple(line["prediction"] for line in records) for records in lines} == {
        ("True 1", "False 2", "True 3")
    }
    assert count_item(items[0].sample).query.target == "1"
