"""Every picture is asked everything that fits it, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import BENCHMARKS, get_benchmark
from skymoe.evaluation.routing.questions import Asked, ask_everything


def test_one_question_of_each_task_and_granularity_a_picture(asked: list[Asked]) -> None:
    kinds = Counter((one.picture, one.query.task, one.granularity) for one in asked)
    assert set(kinds.values()) == {1}
    assert len({one.id for one in asked}) == len(asked)
    tanks = {one.query.task for one in asked if one.source == "airbus-oil-storage"}
    assert {"count", "ground", "vqa"} <= tanks
    assert {"caption", "classify", "vqa"} <= {one.query.task for one in asked if one.source == "ucm-captions"}
    assert all(one.query.target for one in asked)
    assert {one.granularity for one in asked} == {"image", "region", "object"}


def test_questions_on_one_picture_stand_together(asked: list[Asked]) -> None:
    pictures = [one.picture for one in asked]
    turns = [here for here, before in zip(pictures, [None, *pictures], strict=False) if here != before]
    assert len(turns) == len(set(pictures))


def test_a_choice_is_seeded_and_does_not_depend_on_what_else_is_asked(miniatures: Path) -> None:
    both = [get_benchmark(name) for name in ("ucm-captions", "airbus-count")]
    together, _ = ask_everything(both, root=miniatures, limit=3, seed=1)
    alone, _ = ask_everything(both[1:], root=miniatures, limit=3, seed=1)
    assert [one for one in together if one.source == "airbus-oil-storage"] == alone
    assert len({one.picture for one in alone}) == 3
    other, _ = ask_everything(both[1:], root=miniatures, limit=3, seed=2)
    assert [one.id for one in other] != [one.id for one in alone]


def test_data_sets_that_are_not_there_are_told(miniatures: Path, tmp_path: Path) -> None:
    _, skipped = ask_everything(list(BENCHMARKS.values()), root=miniatures, limit=1)
    assert "rsvqa-lr" in skipped
    with pytest.raises(UserError, match=r"nothing to ask: .*ucm-captions"):
        ask_everything([get_benchmark("ucm-captions")], root=tmp_path)
