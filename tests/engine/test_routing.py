"""What is shown of the experts is what the routers chose."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from engine import plain
from engine.tiny_model import build
from skymoe.engine import SkyMoe
from skymoe.engine.routing import trace
from skymoe.tasks import Query


def test_shares_and_maps_are_those_of_the_models_own_router_logits(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build())
    query = Query("count", "ship")
    given = plain.inputs(engine, pictures[0], query)
    answer = engine.processor.tokenizer("12", add_special_tokens=False)["input_ids"]
    ids = torch.cat([given["input_ids"], torch.tensor([answer])], dim=1)
    with torch.inference_mode():
        expected = engine.model(
            input_ids=ids, pixel_values=given["pixel_values"], output_router_logits=True
        ).router_logits
    found = trace(engine, pictures[0], query, "12")
    assert [layer.layer for layer in found] == [0, 2]
    visual = ids[0] == engine.prompter.image_id
    for layer, logits in zip(found, expected, strict=True):
        assert [e for row in layer.picture_map for e in row] == logits[visual].argmax(-1).tolist()
        assert len(layer.picture_map) == len(layer.picture_map[0]) == 3
        choices = logits[-1 - len(answer) :].topk(2).indices.flatten()
        assert layer.answer_load == pytest.approx(
            (torch.bincount(choices, minlength=4) / len(choices)).tolist()
        )
        assert sum(layer.picture_load) == pytest.approx(1)


def test_a_dense_model_has_no_routing(pictures: list[Image.Image]) -> None:
    engine = SkyMoe(*build(num_experts=0))
    assert trace(engine, pictures[0], Query("caption"), "a lake") == []
