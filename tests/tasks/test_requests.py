"""Users' own words find their task, and so does every wording that training uses."""

from __future__ import annotations

from random import Random

import pytest

from skymoe.errors import UserError
from skymoe.tasks import TASKS, Query, read_request


@pytest.mark.parametrize(
    ("text", "task", "subject"),
    [
        ("How many storage tanks are there?", "count", "storage tank"),
        ("count the planes", "count", "plane"),
        ("Please count all the cars in the picture.", "count", "car"),
        ("Could you count the buildings please", "count", "building"),
        ("where's the top-left tank", "ground", "the top-left tank"),
        ("Find the largest storage tank", "ground", "the largest storage tank"),
        ("[refer] Where is <p> the largest tank </p>?", "ground", "the largest tank"),
        ("what is this?", "classify", None),
        ("scene type?", "classify", None),
        ("Can you describe this image briefly?", "caption", None),
        ("please can you describe this image briefly?", "caption", None),
        ("any ships here?", "vqa", "any ships here?"),
        ("What is the  theme of this picture?", "vqa", "What is the theme of this picture?"),
        ("Is it rural or urban?", "vqa", "Is it rural or urban?"),
        ("How many of the ships are docked?", "vqa", "How many of the ships are docked?"),
    ],
)
def test_users_own_words(text: str, task: str, subject: str | None) -> None:
    query = read_request(text)
    assert (query.task, query.subject, query.target) == (task, subject, None)


@pytest.mark.parametrize(
    "query",
    [
        Query("caption"),
        Query("classify"),
        Query("count", "storage tank"),
        Query("ground", "the top-left storage tank"),
        Query("vqa", "Is there a storage tank in this image?"),
        Query("vqa", "What is the theme of this picture?"),
    ],
    ids=lambda query: query.subject or query.task,
)
def test_every_training_wording_finds_its_task(query: Query) -> None:
    for seed in range(300):
        text = TASKS[query.task].prompt(query, Random(seed))
        assert read_request(text).task == query.task, text


def test_the_kind_of_a_question_comes_along() -> None:
    assert read_request("Does this picture contain trees?").kind == "presence"
    assert read_request("What is the theme of this picture?").kind == "theme"


@pytest.mark.parametrize("text", ["", "  ", "?", "…", "please?"])
def test_no_words_no_question(text: str) -> None:
    if text == "please?":
        assert read_request(text).task == "vqa"
        return
    with pytest.raises(UserError, match="is empty: ask something"):
        read_request(text)
