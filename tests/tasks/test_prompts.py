"""The wordings: canonical ones to the letter, paraphrases many and repeatable, messages in the chat format."""

from __future__ import annotations

from random import Random

import pytest

from skymoe.errors import UserError
from skymoe.sample import Sample
from skymoe.tasks import TASKS, Query, get_task

CANONICAL = {
    Query("caption"): "Describe this image in one sentence.",
    Query("classify"): "Which scene does this image belong to?",
    Query("classify", labels=("Port", "OilRefinery")): (
        "Which scene does this image belong to? Choose from: port, oil refinery."
    ),
    Query("count", "storage tank"): "How many storage tanks are there in this image? Answer with a number.",
    Query("count", "buses"): "How many buses are there in this image? Answer with a number.",
    Query("ground", "the largest storage tank"): "[refer] Where is <p> the largest storage tank </p>?",
    Query("vqa", "Is it rural?"): "Is it rural? Answer the question using a single word or phrase.",
    Query("vqa", "Is it rural? Answer the question using a single word or phrase."): (
        "Is it rural? Answer the question using a single word or phrase."
    ),
    Query("vqa", "any ships here"): "any ships here? Answer the question using a single word or phrase.",
    Query("vqa", "How many  in the picture?"): (
        "How many in the picture? Answer the question using a single word or phrase."
    ),
}
REWORDED = [
    Query("caption"),
    Query("classify"),
    Query("count", "storage tank"),
    Query("ground", "the top-left storage tank"),
    Query("vqa", "Is there a storage tank in this image?", kind="presence"),
    Query("vqa", "Does this picture contain trees?", kind="presence"),
    Query("vqa", "What is the theme of this picture?", kind="theme"),
    Query("vqa", "Is this a dense residential scene?", kind="scene"),
    Query("vqa", "How many cars in the picture?", kind="count"),
    Query("vqa", "What is the location of the boats in this picture?", kind="location"),
    Query("vqa", "Is it a rural or an urban area", kind="rural_urban"),
]


@pytest.mark.parametrize(("query", "prompt"), CANONICAL.items())
def test_canonical_prompts(query: Query, prompt: str) -> None:
    assert TASKS[query.task].prompt(query) == prompt


@pytest.mark.parametrize("query", REWORDED, ids=lambda query: query.subject or query.task)
def test_at_least_twelve_wordings_that_repeat_with_the_seed(query: Query) -> None:
    task = TASKS[query.task]
    prompts = [task.prompt(query, Random(seed)) for seed in range(300)]
    assert len({prompt.lower().rstrip("?.!") for prompt in prompts}) >= 12
    assert prompts == [task.prompt(query, Random(seed)) for seed in range(300)]
    assert all(prompt == prompt.strip() and "  " not in prompt and "{" not in prompt for prompt in prompts)


def test_a_list_is_named_only_where_it_is_short_and_new() -> None:
    classify = get_task("classify")
    known = get_task("classify").prompt(Query("classify"))
    assert classify.prompt(Query("classify", labels=tuple(f"class {n}" for n in range(13)))) == known
    assert "Choose from: airport, beach." in classify.prompt(Query("classify", labels=("airport", "beach")))


def test_messages_are_the_chat_format(sample: Sample) -> None:
    for task in TASKS.values():
        for query in task.queries(sample):
            user, assistant = task.messages(query, with_answer=True)
            assert user == {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": task.prompt(query)}],
            }
            assert assistant == {"role": "assistant", "content": [{"type": "text", "text": query.target}]}
            assert task.messages(query) == [user]


def test_every_target_is_read_back_by_its_own_task(sample: Sample) -> None:
    for task in TASKS.values():
        for query in task.queries(sample):
            assert query.task == task.name
            assert query.target is not None
            assert task.parse(query.target, width=256, height=256, labels=query.labels).parsed


def test_the_same_seed_asks_the_same(sample: Sample) -> None:
    for task in TASKS.values():
        assert task.queries(sample, Random(3)) == task.queries(sample, Random(3))
        assert task.queries(sample) == task.queries(sample)


@pytest.mark.parametrize("task", ["count", "ground", "vqa"])
@pytest.mark.parametrize("subject", [None, "", " \n"])
def test_an_empty_question_is_the_users_mistake(task: str, subject: str | None) -> None:
    with pytest.raises(UserError, match="for instance"):
        get_task(task).prompt(Query(task, subject))


def test_an_unknown_task_names_the_known_ones() -> None:
    assert list(TASKS) == ["caption", "vqa", "ground", "count", "classify"]
    with pytest.raises(
        UserError, match="unknown task 'ocr': choose one of caption, vqa, ground, count, classify"
    ):
        get_task("ocr")
