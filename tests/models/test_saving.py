"""Save, load, Auto classes: what is written is what is read."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, SkyMoeModel, SkyMoeProcessor

from .tiny_models import IMAGE_TOKEN, SIDE, pixels, question, skymoe, skymoe_processor

INPUTS = {"input_ids": question(), "pixel_values": pixels()}
MESSAGES = [
    {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "how many ship are there"}],
    }
]


@pytest.mark.parametrize("changes", [{}, {"num_experts": 0}, {"router_conditioning": "instruction"}])
@pytest.mark.parametrize("shard", ["5GB", "40KB"])
@torch.no_grad()
def test_round_trip(tmp_path, changes: dict, shard: str) -> None:
    model = skymoe(**changes)
    model.save_pretrained(tmp_path, max_shard_size=shard)
    assert (tmp_path / "model.safetensors.index.json").is_file() == (shard == "40KB")
    again, info = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert isinstance(again, SkyMoeForConditionalGeneration)
    assert not any(info.values())
    for (name, mine), (other, wanted) in zip(
        again.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(mine, wanted), name
    torch.testing.assert_close(again.eval()(**INPUTS).logits, model(**INPUTS).logits)


def test_experts_are_saved_as_stacked_tensors(tmp_path) -> None:
    """One tensor for all experts of a layer, under the names that expert-parallel plans speak of."""
    skymoe().save_pretrained(tmp_path, max_shard_size="40KB")
    names = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    layer = "model.language_model.layers.0.mlp"
    wanted = {f"{layer}.{n}" for n in ("router.weight", "experts.gate_up_proj", "experts.down_proj")}
    assert {name for name in names if name.startswith(layer)} == wanted


def test_tied_embeddings_are_saved_once(tmp_path) -> None:
    model = skymoe(text={"tie_word_embeddings": True})
    model.save_pretrained(tmp_path)
    again, info = SkyMoeForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert again.lm_head.weight is again.get_input_embeddings().weight


def test_auto_classes(tmp_path) -> None:
    skymoe().save_pretrained(tmp_path)
    skymoe_processor().save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), SkyMoeConfig)
    assert isinstance(AutoModel.from_pretrained(tmp_path), SkyMoeModel)
    assert isinstance(AutoProcessor.from_pretrained(tmp_path), SkyMoeProcessor)


def test_processor_round_trip(tmp_path) -> None:
    processor = skymoe_processor()
    processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    assert again.image_seq_length == processor.image_seq_length == 4
    for name in (
        "patch_size",
        "num_additional_image_tokens",
        "vision_feature_select_strategy",
        "chat_template",
    ):
        assert getattr(again, name) == getattr(processor, name), name
    assert again.tokenizer.padding_side == "left"
    assert again.image_processor.to_dict() == processor.image_processor.to_dict()


def test_pictures_are_squeezed_not_cropped(tmp_path) -> None:
    """A long picture keeps both its ends, so that a box in it stays where it is relative to the picture."""
    skymoe_processor().save_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    picture = np.zeros((40, 200, 3), dtype=np.uint8)
    picture[:, :10] = 255
    seen = processor.image_processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"]
    assert seen.shape == (1, 3, SIDE, SIDE)
    assert seen[0, 0, :, 0].mean() > 0
    assert seen[0, 0, :, 5:].max() < 0


@torch.no_grad()
def test_the_docstrings_example(tmp_path) -> None:
    skymoe().save_pretrained(tmp_path)
    skymoe_processor().save_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))
    text = processor.apply_chat_template(MESSAGES, add_generation_prompt=True)
    assert text == "user : <image> how many ship are there assistant :"
    inputs = processor(images=picture, text=text, return_tensors="pt")
    assert (inputs["input_ids"] == IMAGE_TOKEN).sum() == 4
    settings = {"max_new_tokens": 4, "do_sample": False, "suppress_tokens": [IMAGE_TOKEN]}
    answer = model.generate(**inputs, **settings)
    content = [{"type": "image", "image": picture}, MESSAGES[0]["content"][1]]
    direct = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert model.generate(**direct, **settings).tolist() == answer.tolist()
    assert isinstance(processor.decode(answer[0]), str)
