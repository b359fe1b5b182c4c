"""Order, company and repetition: the real engine does not care, and one that does is found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.tiny_model import build, end_often
from evaluation.audits.conftest import Says, bench_of, count_white, values
from skymoe.answer import Answer
from skymoe.engine import SkyMoe
from skymoe.evaluation.audits.invariance import run, shuffled
from skymoe.evaluation.benchmarks import Item
from skymoe.tasks import Query


def test_another_order_has_the_same_questions(counted: list[Item]) -> None:
    asked = [Item(f"{item.id}#{n}", item.sample, item.query) for item in counted for n in range(2)]
    mixed = shuffled(asked, 0)
    assert mixed != asked
    assert sorted(mixed, key=lambda item: item.id) == sorted(asked, key=lambda item: item.id)
    assert all(one.sample.id == other.sample.id for one, other in zip(mixed[::2], mixed[1::2], strict=True))


def test_the_real_engine_is_invariant(tmp_path: Path, counted: list[Item]) -> None:
    model, processor = build()
    end_often(model)
    engine = SkyMoe(model, processor)
    questions = [
        Query("vqa", "What is the theme of this picture?", "port", kind="theme"),
        Query("vqa", "Is there a ship in this image?", "yes", kind="presence"),
    ]
    asked = [Item(f"{i.id}#{n}", i.sample, query) for i in counted[:3] for n, query in enumerate(questions)]
    told = values(run(bench_of(engine, asked, tmp_path / "out", batch_size=4)))
    for way in ("asked again", "in another order", "one at a time"):
        assert told[f"{way}: the same text"] == told[f"{way}: the same answer"] == 1
        assert told[f"{way}: largest change of a confidence"] < 1e-4
    assert engine.prefixes.encoded >= 4 * 3, "each way must look at the pictures itself"


class Counter(Says):
    """The first answer of every batch is wrong: it depends on the company."""

    def answer(self, images: Sequence[Any], queries: Sequence[Query], **options: Any) -> list[Answer]:  # type: ignore[override]
        found = super().answer(images, queries, **options)
        return [found[0].replace(text="99", number=99, confidence=0.9), *found[1:]]


def test_an_engine_that_depends_on_its_batch_is_found_out(tmp_path: Path, counted: list[Item]) -> None:
    found = run(bench_of(Counter(count_white), counted, tmp_path / "out", batch_size=3))
    told = values(found)
    assert told["asked again: the same text"] == 1
    assert told["in another order: the same text"] < 1
    assert told["one at a time: the same text"] == 2 / 6  # the two that were first before
    assert told["one at a time: change of the right answers"] == -4 / 6
    assert told["one at a time: largest change of a confidence"] == 0.4
    assert len(found["changed"]["one at a time"]) == 4
