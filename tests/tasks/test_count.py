from __future__ import annotations

from random import Random

import pytest

from skymoe.sample import Question, Sample
from skymoe.tasks import Integer, Query, get_task

count = get_task("count")


def asked(sample: Sample) -> dict[str | None, str | None]:
    return {query.subject: query.target for query in count.queries(sample)}


def test_only_what_is_certain_is_counted(sample: Sample) -> None:
    # Cars are annotated, but not exhaustively; the dataset's own answer in words becomes digits.
    assert asked(sample) == {"storage tank": "2", "building": "21", "pond": "0", "airplane": "0", "ship": "0"}


def test_counts_of_exhaustive_boxes_are_official(sample: Sample) -> None:
    official = [query.subject for query in count.queries(sample) if query.official]
    assert official == ["storage tank", "pond"]


def test_boxes_win_over_questions(sample: Sample) -> None:
    sample = sample.replace(questions=(Question("How many storage tanks are there?", "about nine", "count"),))
    assert asked(sample)["storage tank"] == "2"


def test_answers_without_a_number_and_questions_without_a_noun_are_left_out(sample: Sample) -> None:
    questions = (
        Question("How many roads in the picture?", "several", "count"),
        Question("How many  in the picture?", "zero", "count"),
    )
    assert set(asked(sample.replace(questions=questions))) == {"storage tank", "pond", "airplane", "ship"}


def test_zeros_do_not_outnumber_the_rest_in_training(sample: Sample) -> None:
    sample = sample.replace(absent=frozenset(f"thing {n}" for n in range(20)))
    targets = [query.target for query in count.queries(sample, Random(0))]
    assert targets.count("0") == 2 == len(targets) - 2
    nothing = sample.replace(regions=(), questions=())
    assert [query.target for query in count.queries(nothing, Random(0))] == ["0"]


@pytest.mark.parametrize(
    ("text", "number"), [("twelve ships", 12), ("1,024", 1024), ("3-5", None), ("", None)]
)
def test_parsing(text: str, number: int | None) -> None:
    answer = count.parse(text, width=1, height=1)
    assert (answer.number, answer.parsed, answer.text) == (number, number is not None, text)


def test_the_shape_is_an_integer() -> None:
    assert count.shape(Query("count", "ship")) == Integer(max=9999)
