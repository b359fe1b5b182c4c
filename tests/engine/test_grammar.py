"""Integers and boxes: only valid answers can come out, and every valid answer can."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.tiny_model import shared_processor
from skymoe.engine import SkyMoe
from skymoe.engine.grammar import Grammar, Text, Vocabulary, longest_answer, valid_beginning
from skymoe.tasks import Box, Integer, Query, get_task

CPU = torch.device("cpu")
BOX = re.compile(r"\{<(0|[1-9]\d*)><(0|[1-9]\d*)><(0|[1-9]\d*)><(0|[1-9]\d*)>\}")


def is_box(text: str, scale: int) -> bool:
    match = BOX.fullmatch(text)
    if not match:
        return False
    x1, y1, x2, y2 = map(int, match.groups())
    return x1 < x2 <= scale and y1 < y2 <= scale


def spelling_tokenizer() -> Any:
    """A vocabulary in the manner of sentencepiece: spaces as ▁, digits and brackets apart or in odd lumps."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    words = ["{<12><34><56><78>} 12 34 100 ><1 0> 7>}", "a lake 12", "{<1><2><99><100>}", "1234 9999"] * 5
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=list("{}<>0123456789 ▁"),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(words, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", bos_token="<s>", unk_token="<unk>"
    )


def vocabularies() -> list[tuple[Any, Vocabulary]]:
    found = []
    for tokenizer in (shared_processor().tokenizer, spelling_tokenizer()):
        special = frozenset(tokenizer.all_special_ids)
        found.append(
            (
                tokenizer,
                Vocabulary(tokenizer, len(tokenizer) + 3, special, frozenset([tokenizer.eos_token_id])),
            )
        )
    return found


VOCABULARIES = vocabularies()


@pytest.mark.parametrize("kind", [0, 1], ids=["coordinate tokens", "spelt digits"])
@pytest.mark.parametrize("shape", [Integer(), Integer(20), Integer(0), Box(), Box(3), Box(1000)], ids=str)
@given(seed=st.integers(0, 10**9))
def test_any_walk_ends_in_a_valid_answer(kind: int, shape: Integer | Box, seed: int) -> None:
    tokenizer, vocabulary = VOCABULARIES[kind]
    grammar, rng = Grammar(shape, vocabulary, CPU), Random(seed)
    said: list[int] = []
    while not grammar.closed(said):
        allowed = torch.nonzero(grammar.bias(said) == 0)[:, 0].tolist()
        token = rng.choice(allowed)
        if token in vocabulary.stop:
            break
        said.append(token)
    assert len(said) < longest_answer(shape)
    text = tokenizer.decode(said, skip_special_tokens=True).strip()
    if isinstance(shape, Box):
        assert is_box(text, shape.scale)
        assert get_task("ground").parse(text, width=640, height=480).parsed
    else:
        assert 0 <= int(text) <= shape.max
        assert str(int(text)) == text
        assert get_task("count").parse(text, width=1, height=1).number == int(text)


@pytest.mark.parametrize("kind", [0, 1], ids=["coordinate tokens", "spelt digits"])
@given(corners=st.tuples(*[st.integers(0, 100)] * 4), number=st.integers(0, 9999))
def test_every_valid_answer_is_allowed_as_the_tokenizer_writes_it(
    kind: int, corners: tuple[int, int, int, int], number: int
) -> None:
    tokenizer, vocabulary = VOCABULARIES[kind]
    x1, y1, x2, y2 = corners
    box = f"{{<{x1}><{y1}><{x2}><{y2}>}}"
    shape: Integer | Box
    for text, shape, valid in ((box, Box(), x1 < x2 and y1 < y2), (str(number), Integer(), True)):
        grammar = Grammar(shape, vocabulary, CPU)
        tokens = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        allowed = all(
            grammar.bias(tokens[:n])[token] == 0 for n, token in enumerate(tokens) if n == 0 or valid
        )
        assert allowed or not valid
        assert valid_beginning(text, shape) is (True if valid else None)


@given(text=st.text(alphabet="{}<>0123456789", max_size=20), scale=st.sampled_from([5, 100]))
def test_beginnings_of_boxes_are_known_exactly(text: str, scale: int) -> None:
    assert (valid_beginning(text, Box(scale)) is True) == is_box(text, scale)


def test_all_beginnings_of_small_answers() -> None:
    boxes = {f"{{<{a}><{b}><{c}><{d}>}}" for a in range(12) for b in range(12) for c in range(a + 1, 12)
             for d in range(b + 1, 12)}  # fmt: skip
    for answers, shape, alphabet in (
        (boxes, Box(11), "{}<>0123456789"),
        ({str(n) for n in range(121)}, Integer(120), "0123456789"),
    ):
        beginnings = {answer[:n] for answer in answers for n in range(len(answer) + 1)}
        for beginning in sorted(beginnings):
            assert valid_beginning(beginning, shape) is (beginning in answers)
            for letter in alphabet:
                longer = beginning + letter
                assert (valid_beginning(longer, shape) is not None) == (longer in beginnings)


@pytest.mark.parametrize("beams", [1, 4])
def test_typed_answers_of_an_untrained_model_parse(
    engine: SkyMoe, pictures: list[Image.Image], beams: int
) -> None:
    queries = [
        Query("count", "ship"),
        Query("ground", "the largest ship"),
        Query("classify"),
        Query("vqa", "Is it a port?"),
    ]
    for picture in pictures:
        for query, answer in zip(queries, engine.answer(picture, queries, num_beams=beams), strict=True):
            assert answer.parsed
            assert answer.task == query.task
            assert 0 < (answer.confidence or 0) <= 1
    free = engine.answer(pictures[0], queries, constrained=False, num_beams=beams)
    assert not all(answer.parsed for answer in free)


def test_free_text_holds_no_special_tokens() -> None:
    rule = Text(10, [1, 2], CPU)
    assert rule.bias([]).tolist() == [0.0, -torch.inf, -torch.inf, *[0.0] * 7]
    assert not rule.closed([])
