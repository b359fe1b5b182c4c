"""What is shown of the experts is what the routers chose."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine import plain
from engine.tiny_model import build
from skymoe.engine import SkyMoe
from skymoe.engine.routing import PARTS, route, trace
from skymoe.tasks import Query

SHIPS = Query("count", "ship")


@pytest.fixture(scope="session")
def own_logits(plain_engine: SkyMoe, pictures: list[Image.Image]) -> tuple[Tensor, int, Any]:
    """Tokens of the first picture, the question and "12", the answer's length, and the model's own router logits."""
    given = plain.inputs(plain_engine, pictures[0], SHIPS)
    answer = plain_engine.processor.tokenizer("12", add_special_tokens=False)["input_ids"]
    ids = torch.cat([given["input_ids"], torch.tensor([answer])], dim=1)
    with torch.inference_mode():
        out = plain_engine.model(input_ids=ids, pixel_values=given["pixel_values"], output_router_logits=True)
    return ids, len(answer), out.router_logits


def test_shares_and_maps_are_those_of_the_models_own_router_logits(
    plain_engine: SkyMoe, pictures: list[Image.Image], own_logits: tuple[Tensor, int, Any]
) -> None:
    ids, said, expected = own_logits
    found = trace(plain_engine, pictures[0], SHIPS, "12")
    assert [layer.layer for layer in found] == [0, 2]
    visual = ids[0] == plain_engine.prompter.image_id
    for layer, logits in zip(found, expected, strict=True):
        # One token for the whole picture stands before the nine cells.
        assert [e for row in layer.picture_map for e in row] == logits[visual].argmax(-1)[1:].tolist()
        assert len(layer.picture_map) == len(layer.picture_map[0]) == 3
        choices = logits[-1 - said :].topk(2).indices.flatten()
        assert layer.answer_load == pytest.approx(
            (torch.bincount(choices, minlength=4) / len(choices)).tolist()
        )
        assert sum(layer.picture_load) == pytest.approx(1)


def test_every_token_belongs_to_one_part(
    plain_engine: SkyMoe, pictures: list[Image.Image], own_logits: tuple[Tensor, int, Any]
) -> None:
    ids, said, _ = own_logits
    (found,) = route(plain_engine, [pictures[0]], [SHIPS], ["12"])
    assert list(found.tokens) == ids[0].tolist()
    words = plain_engine.processor.tokenizer.convert_ids_to_tokens(found.tokens)
    parts = {part: [w for w, own in zip(words, found.within(part), strict=True) if own] for part in PARTS}
    assert parts["opening"] == ["<s>"]
    assert parts["summary"] == ["<image>"]
    assert parts["picture"] == ["<image>"] * 9
    assert parts["question"][0] == "<|user|>"
    assert parts["closing"] == ["<|assistant|>"]
    assert len(parts["answer"]) == said
    assert sum(map(len, parts.values())) == len(words)
    assert found.part_of.diff().min() == 0  # parts follow each other as PARTS says


@pytest.mark.parametrize("changes", [{}, {"router_conditioning": "instruction"}])
def test_many_questions_are_routed_as_each_alone(
    pictures: list[Image.Image], changes: dict[str, str]
) -> None:
    engine = SkyMoe(*build(**changes))
    queries = [SHIPS, Query("caption"), Query("vqa", "Is there a large storage tank in this image?")]
    texts = ["12", "a port with many ships beside two storage tanks .", ""]
    images = [pictures[0], pictures[2], pictures[0]]
    together = route(engine, images, queries, texts)
    for found, *alone in zip(together, images, queries, texts, strict=True):
        (expected,) = route(engine, *([each] for each in alone))
        assert found.tokens == expected.tokens
        torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)
    assert not together[2].within("answer").any()  # nothing was said


def test_a_dense_model_has_no_routing(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build(num_experts=0))
    assert trace(engine, pictures[0], Query("caption"), "a lake") == []
    assert route(engine, pictures, [SHIPS] * 3, ["1"] * 3) == []
