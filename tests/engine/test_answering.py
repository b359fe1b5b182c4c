"""Remembering pictures and batching questions changes nothing but the time it takes."""

from __future__ import annotations

import io
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine import plain
from engine.tiny_model import build, end_often
from skymoe.engine import SkyMoe, jobs
from skymoe.engine.opened import opened
from skymoe.errors import UserError
from skymoe.tasks import Query

QUESTIONS = [
    "any ships here?",
    "How many storage tanks are there in this image? Answer with a number.",
    "what?",
    "[refer] Where is <p> the largest storage tank </p>?",
    "Describe this image in one sentence.",
    "is it a port, or is it an airport with a very long runway beside a large river?",
]  # fmt: skip


@pytest.mark.parametrize("conditioning", [None, "instruction"])
def test_logits_after_questions_of_all_lengths_are_those_of_the_plain_model(
    conditioning: str | None, pictures: list[Image.Image]
) -> None:
    engine = SkyMoe(*build(router_conditioning=conditioning))
    pairs = list(itertools.product(pictures, QUESTIONS))
    _, logits = engine._start([engine._own_words(opened(p), q) for p, q in pairs], 1)
    for (picture, question), row in zip(pairs, logits, strict=True):
        with torch.inference_mode():
            expected = engine.model(**plain.inputs(engine, picture, question)).logits[0, -1]
        torch.testing.assert_close(row, expected, atol=1e-4, rtol=0)


def test_the_conditioned_router_really_reads_the_instruction(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build(router_conditioning="instruction"))
    first, second = (engine.prefixes.get([opened(pictures[0])], [engine._own_words(opened(pictures[0]), q).prompt])[0]
                     for q in QUESTIONS[:2])  # fmt: skip
    assert not torch.allclose(first.keys[-1], second.keys[-1], atol=1e-3)


@pytest.mark.parametrize("conditioning", [None, "instruction"])
def test_free_answers_and_their_probability_are_those_of_generate(
    conditioning: str | None, pictures: list[Image.Image]
) -> None:
    model, processor = build(router_conditioning=conditioning)
    end_often(model)
    engine = SkyMoe(model, processor)
    lengths = set()
    for picture in pictures:
        queries = [Query("vqa", question) for question in QUESTIONS] + [
            Query("caption"),
            Query("count", "ship"),
        ]
        for query, answer in zip(queries, engine.answer(picture, queries, constrained=False), strict=True):
            limit = jobs.limit(engine._typed(opened(picture), query).shape)
            text, tokens, out = plain.generate(engine, picture, query, max_new_tokens=limit)
            assert answer.text == text
            scores = engine.model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
            assert answer.confidence == pytest.approx(math.exp(scores.sum().item()), rel=1e-3)
            lengths.add(len(tokens))
    assert len(lengths) > 3, "answers of one length would not test what happens when some end before others"


@pytest.mark.parametrize(("beams", "ends"), [(2, True), (3, False), (5, True)])
def test_beam_search_is_that_of_transformers(beams: int, ends: bool, pictures: list[Image.Image]) -> None:
    model, processor = build(seed=beams)
    if ends:
        end_often(model, seed=beams)
    engine = SkyMoe(model, processor)
    pairs = list(itertools.product(pictures, [Query("vqa", question) for question in QUESTIONS[:3]]))
    batch, queries = [p for p, _ in pairs], [q for _, q in pairs]
    answers = engine.answer(batch, queries, constrained=False, num_beams=beams)
    for (picture, query), answer in zip(pairs, answers, strict=True):
        limit = jobs.limit(engine._typed(opened(picture), query).shape)
        assert answer.text == plain.generate(engine, picture, query, max_new_tokens=limit, num_beams=beams)[0]


def test_an_answer_does_not_depend_on_its_neighbours(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    queries = [Query("caption"), Query("count", "storage tank"), Query("ground", "the largest ship"),
               Query("classify"), Query("vqa", "is there a ship?"), Query("vqa", "what is the theme?")]  # fmt: skip
    pairs = list(itertools.product(pictures, queries))
    together = engine.answer([p for p, _ in pairs], [q for _, q in pairs])
    for (picture, query), answer in zip(reversed(pairs), reversed(together), strict=True):
        engine.prefixes.clear()
        (alone,) = engine.answer(picture, query)
        assert alone.replace(confidence=None) == answer.replace(confidence=None)
        assert alone.confidence == pytest.approx(answer.confidence, rel=1e-3)


def test_the_same_question_gets_the_same_answer(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    first = engine.answer(pictures[0], [Query("caption"), Query("count", "ship")], num_beams=3)
    assert engine.answer(pictures[0], [Query("caption"), Query("count", "ship")], num_beams=3) == first


def test_twenty_questions_encode_the_picture_once(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build())
    engine.answer(pictures[0], [Query("count", f"thing {n}") for n in range(10)])
    engine.answer(pictures[0].copy(), [Query("vqa", f"is there a thing {n}?") for n in range(10)])
    assert engine.prefixes.encoded == 1
    changed = pictures[0].copy()
    changed.putpixel((0, 0), (1, 2, 3))
    engine.count(changed, "ship")
    assert engine.prefixes.encoded == 2


def test_no_more_pictures_are_remembered_than_there_is_room_for(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build())
    engine.count(pictures[0], "ship")
    one = next(iter(engine.prefixes._kept.values())).bytes
    engine.prefixes.max_bytes = 2 * one
    for picture in pictures:
        engine.count(picture, "ship")
    assert len(engine.prefixes._kept) == 2
    engine.count(pictures[1], "ship")
    assert engine.prefixes.encoded == 3
    engine.count(pictures[0], "ship")
    assert engine.prefixes.encoded == 4


def test_batches_larger_than_the_batch_size(pictures: list[Image.Image]) -> None:
    model, processor = build()
    whole, parts = SkyMoe(model, processor), SkyMoe(model, processor, batch_size=2)
    answers = whole.count(pictures * 2, "ship")
    assert [answer.text for answer in parts.count(pictures * 2, "ship")] == [
        answer.text for answer in answers
    ]
    asked = [answer.text for answer in parts.ask(pictures, "what?")]
    assert asked == [parts.ask(picture, "what?").text for picture in pictures]
    assert parts.count([], "ship") == []


@pytest.mark.parametrize("beams", [1, 3])
def test_streamed_pieces_are_the_answer(engine: SkyMoe, pictures: list[Image.Image], beams: int) -> None:
    for picture in pictures:
        pieces = list(engine.stream(picture, Query("caption"), num_beams=beams))
        assert "".join(pieces) == engine.caption(picture, num_beams=beams).text
        asked = "".join(engine.stream(picture, "what do you see?", num_beams=beams))
        assert asked == engine.ask(picture, "what do you see?", num_beams=beams).text
    assert "".join(engine.stream(pictures[0], Query("classify"))) == engine.classify(pictures[0]).text


def test_streaming_comes_in_pieces_and_leaves_gradients_on(
    plain_engine: SkyMoe, pictures: list[Image.Image]
) -> None:
    stream = plain_engine.stream(pictures[0], "what do you see?")
    next(stream)
    assert not torch.is_inference_mode_enabled()
    assert len(list(stream)) > 3


def test_a_picture_may_be_a_path_bytes_an_image_or_an_array(
    engine: SkyMoe, pictures: list[Image.Image], tmp_path: Path
) -> None:
    picture = pictures[0]
    path = tmp_path / "picture.png"
    picture.save(path)
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    sources = [picture, path, str(path), memory.getvalue(), np.asarray(picture), opened(picture)]
    engine.prefixes.clear()
    before = engine.prefixes.encoded
    assert len({engine.ground(source, "the ship").boxes for source in sources}) == 1
    assert engine.prefixes.encoded == before + 1


def test_boxes_are_in_the_pixels_of_the_picture_given(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    whole = opened(pictures[2]).picture
    cropped = whole.crop((0, 0, 20, 10))  # carries the file's size along
    (box,) = engine.ground(cropped, "the ship").boxes
    assert box.x2 <= 20
    assert box.y2 <= 10


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((3, 8, 9), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
    ids=["float", "channels first", "flat", "empty"],
)
def test_arrays_that_are_no_pictures_say_so(engine: SkyMoe, array: np.ndarray) -> None:
    with pytest.raises(UserError, match="is no picture"):
        engine.caption(array)


@pytest.mark.parametrize("subject", ["", "  ", "?"])
def test_empty_questions_say_so(engine: SkyMoe, pictures: list[Image.Image], subject: str) -> None:
    with pytest.raises(UserError, match="empty"):
        engine.ask(pictures[0], subject)


def test_what_does_not_fit_together_says_so(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    with pytest.raises(UserError, match="3 pictures, 2 queries"):
        engine.answer(pictures, [Query("caption"), Query("classify")])
    with pytest.raises(UserError, match="num_beams=0"):
        engine.caption(pictures[0], num_beams=0)
    with pytest.raises(UserError, match="unknown wording"):
        engine.answer(pictures[0], Query("caption"), wording="poetic")
    with pytest.raises(UserError, match="unknown task"):
        engine.answer(pictures[0], Query("dance"))


def test_varied_wording_is_another_one_and_stays(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    picture = opened(pictures[0])
    queries = [Query("count", name) for name in ("ship", "plane", "car", "house")]
    canonical = [engine._typed(picture, query).prompt for query in queries]
    varied = [engine._typed(picture, query, "varied").prompt for query in queries]
    assert canonical != varied == [engine._typed(picture, query, "varied").prompt for query in queries]
    assert engine.answer(pictures[0], queries, wording="varied")
