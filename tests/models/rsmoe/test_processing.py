"""The processor: the question beside the prompt, findings of fixed length, tasks in running text's tokens."""

from __future__ import annotations

import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.models.rsmoe import plain_task, task_tokens, worded_task

from .tiny_rsmoe import TASKS, WORDS, processor


def test_the_instruction_is_the_question_alone_and_padded_on_the_right() -> None:
    made = processor()
    before, after = made.frame()
    texts = [f"{before}{question}{after}" for question in ("where is the ship", "what is this")]
    inputs = made(images=[Image.new("RGB", (30, 30))] * 2, text=texts, padding=True, return_tensors="pt")
    alone = [made.tokenizer(question)["input_ids"] for question in ("where is the ship", "what is this")]
    assert inputs["instruction_ids"].tolist() == [alone[0], [*alone[1], 0]]
    assert inputs["instruction_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert (inputs["input_ids"] == made.image_token_id).sum(1).tolist() == [made.image_seq_length] * 2
    assert made.question("<image> what is this") == "what is this"
    assert made.instruction([""])["instruction_ids"].tolist() == [[made.tokenizer.eos_token_id]]


def test_findings_are_cut_so_that_their_end_fits() -> None:
    made = processor()
    rows = made.findings([["the ship", "", "what is this picture where the tank is"]])
    the, ship = made.tokenizer("the ship")["input_ids"]
    long = made.tokenizer("what is this picture")["input_ids"]
    assert rows["findings"].tolist() == [[[the, ship, 0, 0, 0], [0] * 5, [*long, 0]]]
    assert rows["sub_labels"].tolist() == [[[the, ship, 2, -100, -100], [-100] * 5, [*long, 2]]]


def test_task_tokens_are_those_of_the_whole_text() -> None:
    made = processor()
    tokens = task_tokens(made, TASKS, WORDS)
    before, after = made.frame()

    def whole(text: str) -> list[int]:
        ids = made.tokenizer(before + text + after)["input_ids"]
        return ids[ids.index(made.image_token_id) + 1 :]

    for task, told, (plain, start, end), ids in zip(TASKS, WORDS, tokens.tasks, tokens.words, strict=True):
        assert plain == whole(plain_task(task))
        assert [*start, *ids[0], *end] == whole(worded_task(task, told[:1]))


def test_a_task_reads_with_and_without_words() -> None:
    task = "Which objects are in this image?[ Look for {words}.]"
    assert plain_task(task) == worded_task(task, []) == "Which objects are in this image?"
    assert worded_task(task, ["cars", "trees"]) == "Which objects are in this image? Look for cars, trees."
    for wrong in ("Which objects?", "Which [objects]?", "{words}[ of {words}]"):
        with pytest.raises(UserError, match="must have one part in brackets"):
            plain_task(wrong)
