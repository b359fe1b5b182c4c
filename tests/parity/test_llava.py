"""Without experts SkyMoE is LLaVA: same logits, loss and answers given the same weights."""

import pytest
import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from models.tiny_models import (
    IMAGE_TOKEN,
    answer_labels,
    left_padded,
    pixels,
    question,
    shared_settings,
    skymoe,
)
from skymoe.models.skymoe import SkyMoeForConditionalGeneration


@pytest.fixture(scope="module")
def pair() -> tuple[SkyMoeForConditionalGeneration, LlavaForConditionalGeneration]:
    ours = skymoe(num_experts=0)
    theirs = LlavaForConditionalGeneration(LlavaConfig(**shared_settings())).eval()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_same_parameters(pair) -> None:
    ours, theirs = pair
    assert [(n, p.shape) for n, p in ours.named_parameters()] == [
        (n, p.shape) for n, p in theirs.named_parameters()
    ]


@torch.no_grad()
def test_same_logits_and_loss(pair) -> None:
    ours, theirs = pair
    inputs = left_padded([question(9, 0), question(6, 1)]) | {"pixel_values": pixels(2)}
    inputs["labels"] = answer_labels(inputs["input_ids"])
    mine, wanted = ours(**inputs), theirs(**inputs)
    torch.testing.assert_close(mine.logits, wanted.logits)
    torch.testing.assert_close(mine.loss, wanted.loss)
    assert mine.aux_loss is None
    torch.testing.assert_close(
        *(list(model.get_image_features(inputs["pixel_values"]).pooler_output) for model in pair)
    )


@torch.no_grad()
def test_same_loss_over_a_given_number_of_tokens(pair) -> None:
    ours, theirs = pair
    ids = question(9)
    inputs = {
        "input_ids": ids,
        "pixel_values": pixels(),
        "labels": answer_labels(ids),
        "num_items_in_batch": 10,
    }
    torch.testing.assert_close(ours(**inputs).loss, theirs(**inputs).loss)


@pytest.mark.parametrize(
    "changes", [{}, {"num_beams": 3}, {"use_cache": False}, {"num_return_sequences": 2, "num_beams": 2}]
)
def test_same_answers(pair, changes) -> None:
    ours, theirs = pair
    inputs = left_padded([question(9, 0), question(5, 1)]) | {"pixel_values": pixels(2)}
    settings = {"max_new_tokens": 6, "do_sample": False, "suppress_tokens": [IMAGE_TOKEN], **changes}
    assert ours.generate(**inputs, **settings).tolist() == theirs.generate(**inputs, **settings).tolist()


@torch.no_grad()
def test_several_pictures_feature_layers_and_text_alone(pair) -> None:
    ours, theirs = pair
    two = torch.cat([question(4, 0), question(5, 1)], dim=1)
    torch.testing.assert_close(
        ours(input_ids=two, pixel_values=pixels(2)).logits,
        theirs(input_ids=two, pixel_values=pixels(2)).logits,
    )
    words = question(6, image_tokens=0)
    torch.testing.assert_close(ours(input_ids=words).logits, theirs(input_ids=words).logits)
    for layer in (-1, -3):
        mine = ours.get_image_features(pixels(), vision_feature_layer=layer).pooler_output[0]
        torch.testing.assert_close(
            mine, theirs.get_image_features(pixels(), vision_feature_layer=layer).pooler_output[0]
        )
