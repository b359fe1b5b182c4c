"""RS-MoE answers through the same searches as SkyMoE: remembering and batching change nothing but the time it takes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

import skymoe
from engine import plain
from engine.test_answering import QUESTIONS
from engine.tiny_model import end_often
from engine.tiny_rsmoe import build
from skymoe.answer import ExpertReport
from skymoe.engine import SkyMoe, jobs
from skymoe.engine.opened import opened
from skymoe.engine.routing import trace
from skymoe.errors import UserError
from skymoe.tasks import Query

QUERIES = [Query("caption"), Query("vqa", "is there a ship?"), Query("vqa", "what is the theme?")]


@pytest.fixture(scope="module")
def experts() -> SkyMoe:
    """Three experts, whose answers end after a few tokens."""
    model, processor = build()
    end_often(model)
    return SkyMoe(model, processor, name="tiny")


@pytest.fixture(scope="module", params=[True, False], ids=["experts", "stage I"])
def either(request: pytest.FixtureRequest) -> SkyMoe:
    model, processor = build(experts=request.param)
    end_often(model)
    return SkyMoe(model, processor)


def test_logits_after_questions_of_all_lengths_are_those_of_the_plain_model(
    either: SkyMoe, pictures: list[Image.Image]
) -> None:
    pairs = list(itertools.product(pictures, QUESTIONS))
    _, logits = either._start([either._own_words(opened(p), q) for p, q in pairs], 1)
    for (picture, question), row in zip(pairs, logits, strict=True):
        with torch.inference_mode():
            expected = either.model(**plain.inputs(either, picture, question)).logits[0, -1]
        torch.testing.assert_close(row, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("beams", [1, 3])
def test_free_answers_are_those_of_generate(either: SkyMoe, pictures: list[Image.Image], beams: int) -> None:
    pairs = list(itertools.product(pictures[:2], [Query("vqa", question) for question in QUESTIONS[:3]]))
    answers = either.answer([p for p, _ in pairs], [q for _, q in pairs], constrained=False, num_beams=beams)
    for (picture, query), answer in zip(pairs, answers, strict=True):
        limit = jobs.limit(either._typed(opened(picture), query).shape)
        text, _, out = plain.generate(either, picture, query, max_new_tokens=limit, num_beams=beams)
        assert answer.text == text
        if beams == 1:
            scores = either.model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
            assert answer.confidence == pytest.approx(math.exp(scores.sum().item()), rel=1e-3)


def test_an_answer_does_not_depend_on_its_neighbours_or_on_what_is_remembered(
    experts: SkyMoe, pictures: list[Image.Image]
) -> None:
    pairs = list(itertools.product(pictures, QUERIES))
    together = experts.answer([p for p, _ in pairs], [q for _, q in pairs], num_beams=2, explain=True)
    for (picture, query), answer in zip(reversed(pairs), reversed(together), strict=True):
        experts.prefixes.clear()
        for _ in ("new", "remembered"):
            (alone,) = experts.answer(picture, query, num_beams=2, explain=True)
            assert (alone.text, alone.label) == (answer.text, answer.label)
            assert alone.confidence == pytest.approx(answer.confidence, rel=1e-3)
            for one, other in zip(alone.explanation, answer.explanation, strict=True):
                assert (one.name, one.prompt, one.finding) == (other.name, other.prompt, other.finding)
                assert one.weight == pytest.approx(other.weight, rel=1e-4)


def test_yes_and_no_have_the_probabilities_of_the_mixture(
    experts: SkyMoe, pictures: list[Image.Image]
) -> None:
    query, end = Query("vqa", "is there a ship?"), experts.processor.tokenizer.eos_token_id
    (answer,) = experts.answer(pictures[0], query)
    given = plain.inputs(experts, pictures[0], query)
    chances = []
    for label in ("yes", "no"):
        said = [*experts.processor.tokenizer(label, add_special_tokens=False)["input_ids"], min(experts.stop)]
        assert end in experts.stop
        given["input_ids"] = torch.cat([given["input_ids"], torch.tensor([said])], dim=1)
        given.pop("attention_mask", None)
        with torch.inference_mode():
            logits = experts.model(**given).logits[0, -len(said) - 1 : -1]
        given["input_ids"] = given["input_ids"][:, : -len(said)]
        chances.append(logits.log_softmax(dim=-1)[torch.arange(len(said)), said].sum())
    expected = torch.stack(chances).softmax(dim=0)
    assert answer.text == ("yes", "no")[int(expected.argmax())]
    assert answer.confidence == pytest.approx(expected.max().item(), rel=1e-3)


@pytest.mark.parametrize("beams", [1, 3])
def test_streamed_pieces_are_the_answer(experts: SkyMoe, pictures: list[Image.Image], beams: int) -> None:
    for picture in pictures[:2]:
        pieces = list(experts.stream(picture, Query("caption"), num_beams=beams))
        assert "".join(pieces) == experts.caption(picture, num_beams=beams).text
        asked = "".join(experts.stream(picture, "what do you see?", num_beams=beams))
        assert asked == experts.ask(picture, "what do you see?", num_beams=beams).text


def test_a_prefix_belongs_to_one_question_and_the_tower_sees_a_picture_once_a_batch(
    pictures: list[Image.Image],
) -> None:
    engine = SkyMoe(*build())
    seen: list[int] = []
    engine.model.model.vision_tower.register_forward_pre_hook(lambda tower, given: seen.append(len(given[0])))
    engine.answer(pictures[0], QUERIES, constrained=False)
    assert (engine.prefixes.encoded, seen) == (3, [1])
    engine.answer(pictures[0], QUERIES, constrained=False, num_beams=2)
    assert (engine.prefixes.encoded, seen) == (3, [1])
    first, second, _ = engine.prefixes._kept.values()
    assert not torch.allclose(first.keys[-1], second.keys[-1], atol=1e-3)
    assert not torch.allclose(first.state, second.state, atol=1e-4)


def test_the_explanation_is_the_models_own(experts: SkyMoe, pictures: list[Image.Image]) -> None:
    question = "are there ships near the port?"
    answer = experts.ask(pictures[0], question, explain=True)
    given = plain.inputs(experts, pictures[0], question)
    names = ("pixel_values", "instruction_ids", "instruction_mask")
    (expected,) = experts.model.explain(experts.processor, *(given[name] for name in names))
    told = [(one.name, one.prompt, one.words, one.finding) for one in answer.explanation]
    assert told == [
        (prompt.name, prompt.text, prompt.words, finding)
        for prompt, finding in zip(expected.prompts, expected.findings, strict=True)
    ]
    assert sum(one.weight for one in answer.explanation) == pytest.approx(1)
    assert len({one.weight for one in answer.explanation}) == 3
    assert answer.to_dict()["explanation"][1] == {
        "name": "objects", "prompt": told[1][1], "words": list(told[1][2]),
        "weight": answer.explanation[1].weight, "finding": told[1][3],
    }  # fmt: skip


def test_an_explanation_outlives_the_prefix_and_comes_only_when_asked_for(
    experts: SkyMoe, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experts.prefixes, "max_bytes", 0)
    experts.prefixes.clear()
    before = experts.prefixes.encoded
    answers = experts.caption(pictures, explain=True)
    assert experts.prefixes.encoded == before + len(pictures)
    assert len({answer.explanation for answer in answers}) == len(pictures)
    assert experts.caption(pictures[0]).explanation == ()
    assert "explanation" not in experts.caption(pictures[0]).to_dict()


def test_what_has_no_experts_explains_nothing(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    for one in (engine, SkyMoe(*build(experts=False))):
        with pytest.raises(UserError, match="no experts that report"):
            one.caption(pictures[0], explain=True)


def test_tasks_it_was_not_made_for_are_refused(experts: SkyMoe, pictures: list[Image.Image]) -> None:
    picture = pictures[0]
    for refused in (
        lambda: experts.classify(picture),
        lambda: experts.rank(picture),
        lambda: experts.count(picture, "ship"),
        lambda: experts.ground([picture], "the ship"),
        lambda: next(experts.stream(picture, Query("count", "ship"))),
    ):
        with pytest.raises(UserError, match=r"'tiny' was not made to .* it answers caption, vqa"):
            refused()
    assert experts.ask(picture, "How many ships are there?").text


def test_one_whose_experts_are_beside_each_other_has_no_layers_to_trace(
    experts: SkyMoe, pictures: list[Image.Image]
) -> None:
    assert trace(experts, pictures[0], Query("caption"), "a port") == []


@pytest.mark.parametrize("stage", [True, False], ids=["experts", "stage I"])
def test_a_saved_model_answers_as_before(stage: bool, pictures: list[Image.Image], tmp_path: Path) -> None:
    model, processor = build(experts=stage)
    for weight in model.parameters():
        weight.data = weight.half().float()
    before = SkyMoe(model, processor).answer(pictures[0], QUERIES, explain=stage)
    model.half().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    after = skymoe.load(tmp_path, device="cpu").answer(pictures[0], QUERIES, explain=stage)
    assert [one.text for one in after] == [one.text for one in before]
    assert all(isinstance(report, ExpertReport) for one in after for report in one.explanation)
    assert [one.explanation for one in after] == [one.explanation for one in before]
