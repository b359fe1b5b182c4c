"""Closed lists: every label's probability is exact, and the most probable one is chosen."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from engine import plain
from engine.tiny_model import build
from skymoe.engine import SkyMoe
from skymoe.engine.labels import Trie
from skymoe.engine.opened import opened
from skymoe.engine.own_labels import classify_query
from skymoe.errors import UserError
from skymoe.tasks import Query
from skymoe.tasks.labels import TRAINED_LABELS, display_label


def one_by_one(engine: SkyMoe, picture: Image.Image, query: Query, labels: tuple[str, ...]) -> torch.Tensor:
    """p(label, end) of each label from a pass of its own through the plain model, normalised."""
    given = plain.inputs(engine, picture, query)
    prompt = engine._typed(opened(picture), query).prompt
    scores = []
    for label in labels:
        said = engine.processor.tokenizer(label, add_special_tokens=False)["input_ids"]
        said.append(engine.processor.tokenizer.eos_token_id)
        ids = torch.cat([given["input_ids"], torch.tensor([said])], dim=1)
        with torch.inference_mode():
            read = engine.decoder.instruction([prompt])
            logits = engine.model(
                input_ids=ids, pixel_values=given["pixel_values"], instruction_embeds=read
            ).logits[0]
        predicted = logits[-len(said) - 1 : -1].log_softmax(dim=-1)
        scores.append(predicted[torch.arange(len(said)), torch.tensor(said)].sum())
    return torch.stack(scores).softmax(dim=0)


@pytest.mark.parametrize("conditioning", [None, "instruction"])
@pytest.mark.parametrize(
    "labels", [None, ["a port", "Port", "airport", "Parking_lot", "parking", "railwayStation"]]
)
def test_probabilities_are_those_of_one_pass_a_label(
    labels: list[str] | None, conditioning: str | None, pictures: list[Image.Image]
) -> None:
    engine = SkyMoe(*build(router_conditioning=conditioning))
    query = classify_query(labels)
    shown = query.labels or TRAINED_LABELS
    for picture, answer in zip(pictures, engine.classify(pictures, labels), strict=True):
        ranked = engine.rank(picture, labels)
        expected = one_by_one(engine, picture, query, tuple(map(display_label, shown)))
        found = dict(ranked)
        torch.testing.assert_close(
            torch.tensor([found[name] for name in shown]), expected, atol=1e-4, rtol=1e-3
        )
        assert sum(found.values()) == pytest.approx(1)
        assert answer.label == ranked[0][0] == shown[int(expected.argmax())]
        assert answer.confidence == pytest.approx(ranked[0][1], rel=1e-3)
        assert answer.parsed


def test_the_best_label_may_begin_with_an_improbable_token(pictures: list[Image.Image]) -> None:
    """Over many lists, walking down the trie greedily sometimes ends elsewhere: so it is not done."""
    differs = 0
    for seed in range(5):
        engine = SkyMoe(*build(seed))
        for picture in pictures:
            job = engine._typed(opened(picture), Query("classify"))
            beginnings = [
                said[0] for said in engine.prompter.answers(job.messages, TRAINED_LABELS, min(engine.stop))
            ]
            _, logits = engine._start([job], 1)
            greedy = max(beginnings, key=lambda token: logits[0, token].item())
            best = TRAINED_LABELS.index(engine.classify(picture).label or "")
            differs += beginnings[best] != greedy
    assert differs


def test_labels_come_back_in_the_users_spelling(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    labels = ["RailwayStation", "PARKING LOT", "golf_course"]
    assert {label for label, _ in engine.rank(pictures[0], labels)} == set(labels)
    assert engine.classify(pictures[0], labels).label in labels


@pytest.mark.parametrize("labels", [[], ["port"], ["port", ""], ["port", "!?"], ["port", "Port"]])
def test_lists_that_leave_no_choice_say_so(
    engine: SkyMoe, pictures: list[Image.Image], labels: list[str]
) -> None:
    with pytest.raises(UserError, match="at least two different"):
        engine.classify(pictures[0], labels)


def test_yes_no_questions_are_answered_yes_or_no(engine: SkyMoe, pictures: list[Image.Image]) -> None:
    queries = [Query("vqa", f"Is there a {name}?") for name in ("ship", "port", "tree")]
    answers = engine.answer(pictures[0], queries)
    assert {answer.label for answer in answers} <= {"yes", "no"}
    assert all(answer.confidence and answer.confidence >= 0.5 for answer in answers)


def test_trie_merges_what_labels_share() -> None:
    trie = Trie.of([(5, 6, 0), (5, 7, 0), (5, 0)])
    assert trie.tokens == [5, 6, 7]
    assert trie.parents == [-1, 0, 0]
    assert trie.depths == [0, 1, 1]
    assert trie.lineage().tolist() == [[True, False, False], [True, True, False], [True, False, True]]
    assert [trie.owners.count(label) for label in range(3)] == [3, 3, 2]
    assert trie.edges[-1] == (0, 0)
