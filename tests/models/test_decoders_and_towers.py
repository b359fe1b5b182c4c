"""Other decoders and vision towers take part by configuration alone."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration

from .tiny_models import (
    CLIP,
    IMAGE_TOKEN,
    TEXT,
    answer_labels,
    left_padded,
    pixels,
    question,
    skymoe,
    skymoe_config,
)

SIGLIP = {**CLIP, "model_type": "siglip_vision_model"}


def check(model: SkyMoeForConditionalGeneration, image_tokens: int, side: int = 28) -> None:
    """Trains, and answers a batch as it answers each question alone."""
    questions = [question(9, 0, image_tokens), question(6, 1, image_tokens)]
    inputs = left_padded(questions) | {"pixel_values": pixels(2, side)}
    output = model(**inputs, labels=answer_labels(inputs["input_ids"]))
    output.loss.backward()
    assert output.loss.isfinite()
    assert output.aux_loss >= 0.9
    settings = {
        "max_new_tokens": 4,
        "min_new_tokens": 4,
        "do_sample": False,
        "suppress_tokens": [IMAGE_TOKEN],
    }
    answers = model.generate(**inputs, **settings)[:, -4:]
    for index, ids in enumerate(questions):
        single = model.generate(
            input_ids=ids, pixel_values=inputs["pixel_values"][index : index + 1], **settings
        )
        assert single[0, -4:].tolist() == answers[index].tolist()


@pytest.mark.parametrize(
    "text",
    [
        {"model_type": "qwen2"},
        {"model_type": "qwen3", "head_dim": 8},
        {"model_type": "mistral", "sliding_window": None},
        {"model_type": "llama", "tie_word_embeddings": True},
    ],
    ids=["qwen2", "qwen3", "mistral", "tied"],
)
def test_decoders(text: dict) -> None:
    model = skymoe(text=text)
    assert model.config.text_config.model_type == text["model_type"]
    tied = model.lm_head.weight is model.get_input_embeddings().weight
    assert tied == bool(text.get("tie_word_embeddings"))
    check(model, 4)


def test_siglip_tower_has_no_class_token_to_drop() -> None:
    model = skymoe(vision=SIGLIP, vision_feature_select_strategy="full", vision_feature_layer=-1)
    assert model.get_image_features(pixels()).pooler_output[0].shape == (4, 32)
    check(model, 4)


def test_efficientnet_lite_tower() -> None:
    vision = {"model_type": "efficientnet_lite_vision", "image_size": 64, "fine_strides": [16]}
    changes = {"vision_feature_select_strategy": "full", "vision_feature_layer": -1}
    config = SkyMoeConfig(
        text_config=TEXT, vision_config=vision, image_token_index=IMAGE_TOKEN, num_experts=4, **changes
    )
    torch.manual_seed(0)
    check(SkyMoeForConditionalGeneration(config).eval(), 4, side=64)


@pytest.mark.parametrize("vision", [CLIP, SIGLIP], ids=["clip", "siglip"])
@torch.no_grad()
def test_pictures_of_another_size(vision: dict) -> None:
    full = {"vision_feature_select_strategy": "full"} if vision is SIGLIP else {}
    model = skymoe(vision=vision, **full)
    features = model.get_image_features(pixels(side=56)).pooler_output[0]
    assert features.shape == (16, 32)
    model(input_ids=question(6, image_tokens=16), pixel_values=pixels(side=56))


@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox"])
def test_a_decoder_without_llama_like_ffn_is_refused(model_type: str) -> None:
    with pytest.raises(ValueError, match=f"decoder '{model_type}' has no Llama-like FFN in layer 0"):
        skymoe(text={"model_type": model_type})


def test_ffn_with_biases_is_refused() -> None:
    with pytest.raises(ValueError, match="biases in its FFN"):
        skymoe(text={"mlp_bias": True})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_model_routes_in_float32(dtype: torch.dtype) -> None:
    model = AutoModelForImageTextToText.from_config(skymoe_config(), dtype=dtype)
    assert model.dtype == dtype
    output = model(input_ids=question(), pixel_values=pixels().to(dtype), output_router_logits=True)
    assert output.logits.dtype == dtype
    assert all(layer.dtype == torch.float32 for layer in output.router_logits)
    assert output.logits.isfinite().all()
