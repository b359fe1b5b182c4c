from __future__ import annotations

from random import Random

import pytest

from skymoe.boxes import Box
from skymoe.sample import Expression, Sample
from skymoe.tasks import Query, get_task
from skymoe.tasks.base import Box as BoxShape
from skymoe.tasks.ground import Ground

ground = Ground()


def test_targets_are_geochat_boxes_of_the_named_object(sample: Sample) -> None:
    queries = {query.subject: query for query in ground.queries(sample)}
    assert queries["the top-left storage tank"].target == "{<4><4><16><16>}"
    assert queries["the top-left storage tank"].box == (10, 10, 40, 40)
    assert queries["the largest storage tank"].target == "{<59><55><90><86>}"
    assert "the car" not in queries  # cars are not annotated exhaustively
    assert not any(query.official for query in queries.values())


def test_the_datasets_own_expressions_come_first_and_once(sample: Sample) -> None:
    own = (
        Expression("The largest storage tank", (150, 140, 230, 220)),
        Expression("a red car", (100, 20, 108, 26)),
    )
    queries = ground.queries(sample.replace(expressions=own))
    assert [query.subject for query in queries[:2]] == ["The largest storage tank", "a red car"]
    assert [query.official for query in queries[:3]] == [True, True, False]
    assert sum((query.subject or "").lower() == "the largest storage tank" for query in queries) == 1


def test_paraphrases_keep_the_object(sample: Sample) -> None:
    query = Query("ground", "the top-left storage tank")
    prompts = [ground.prompt(query, Random(seed)) for seed in range(200)]
    assert all("storage tank" in prompt for prompt in prompts)
    corners = ("top-left", "top left", "upper-left", "upper left")
    assert {corner for prompt in prompts for corner in corners if corner in prompt} == set(corners)
    assert all(any(corner in prompt for corner in corners) for prompt in prompts)


def test_geochat_is_read_by_default_and_other_notations_by_name() -> None:
    answer = ground.parse("{<10><30><50><60>}", width=400, height=200)
    assert (answer.boxes, answer.parsed) == ((Box(40, 60, 200, 120),), True)
    assert ground.parse("[0.1, 0.3, 0.5, 0.6]", width=400, height=200).parsed is False
    assert ground.parse("[0.1, 0.3, 0.5, 0.6]", width=400, height=200, notation="unit").boxes[0].x2 == 200
    seen = ground.parse("[20, 30, 100, 60]", width=400, height=200, notation="pixel", input_size=(200, 100))
    assert seen.boxes == answer.boxes


@pytest.mark.parametrize("text", ["", "nowhere", "{<1><2><3>}"])
def test_no_box_is_no_answer(text: str) -> None:
    answer = ground.parse(text, width=10, height=10)
    assert (answer.boxes, answer.parsed, answer.text) == ((), False, text)


def test_the_shape_is_a_box() -> None:
    assert get_task("ground").shape(Query("ground", "x")) == BoxShape(scale=100)
