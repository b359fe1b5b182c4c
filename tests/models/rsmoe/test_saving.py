"""Checkpoints: what is saved is what is read, and stage II starts where stage I ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from skymoe.errors import UserError
from skymoe.models.rsmoe import RsMoeForConditionalGeneration, RsMoeProcessor, specialise

from ..tiny_models import pixels
from .tiny_rsmoe import NAMES, TASKS, WORDS, instruction, processor, prompt, rsmoe

SETTINGS = {
    "expert_names": NAMES, "expert_tasks": TASKS, "prompt_words": WORDS, "prompt_length": 2, "words_told": 2,
    "finding_length": 5, "lora_rank": 3, "lora_alpha": 6, "router_heads": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def stage1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rsmoe") / "stage1"
    rsmoe(experts=False).save_pretrained(folder)
    processor(image_tokens=3).save_pretrained(folder)
    return folder


def test_round_trip(tmp_path: Path) -> None:
    model = rsmoe()
    model.save_pretrained(tmp_path)
    processor().save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    assert isinstance(again, RsMoeForConditionalGeneration)
    for name in (
        "expert_names",
        "expert_task_ids",
        "prompt_words",
        "prompt_word_ids",
        "router",
        "lora_targets",
    ):
        assert getattr(again.config, name) == getattr(model.config, name), name
    assert again.config.qformer_config.encoder_hidden_size == model.config.vision_config.hidden_size
    kept = again.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    asked = {"input_ids": prompt(model.config), "pixel_values": pixels(1), "instruction_ids": instruction()}
    with torch.no_grad():
        assert torch.equal(model(**asked).logits, again(**asked).logits)

    read = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(read, RsMoeProcessor)
    assert (read.image_seq_length, read.finding_length) == (model.config.image_seq_length, 5)


def test_tied_embeddings_are_saved_once(tmp_path: Path) -> None:
    from safetensors import safe_open

    from ..tiny_models import TEXT

    model = rsmoe(text_config={**TEXT, "tie_word_embeddings": True})
    assert model.lm_head.weight is model.get_input_embeddings().weight
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
    again = RsMoeForConditionalGeneration.from_pretrained(tmp_path)
    assert again.lm_head.weight is again.get_input_embeddings().weight
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)


def test_stage_two_starts_from_stage_one(stage1: Path, tmp_path: Path) -> None:
    out = specialise(stage1, tmp_path / "stage2", seed=3, **SETTINGS)
    model = RsMoeForConditionalGeneration.from_pretrained(out)
    old = RsMoeForConditionalGeneration.from_pretrained(stage1).state_dict()
    new = model.state_dict()
    assert all(torch.equal(value, new[name]) for name, value in old.items())
    fresh = {name for name in new if name not in old}
    assert all(".router." in name or "lora" in name for name in fresh)
    assert all(not new[name].any() for name in fresh if name.endswith("lora_b"))
    assert all(new[name].std() > 0 for name in fresh if name.endswith(("lora_a", "queries", "prompt_start")))
    with torch.no_grad():
        encoded = model.encode(pixels(1), instruction())
        torch.testing.assert_close(encoded.weights, torch.full((1, 3), 1 / 3))
    made = AutoProcessor.from_pretrained(out)
    assert made.image_seq_length == model.config.image_seq_length == 3 + 2 + 3 * 5

    again = specialise(stage1, tmp_path / "again", seed=3, **SETTINGS)
    same = RsMoeForConditionalGeneration.from_pretrained(again).state_dict()
    assert all(torch.equal(new[name], same[name]) for name in new), "the seed fixes the router"


def test_from_messages_to_an_answer(stage1: Path, tmp_path: Path) -> None:
    from PIL import Image

    out = specialise(stage1, tmp_path / "stage2", **SETTINGS)
    model, made = RsMoeForConditionalGeneration.from_pretrained(out), AutoProcessor.from_pretrained(out)
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "image", "image": Image.new("RGB", (40, 30), "green")},
                {"type": "text", "text": "how many ship are there"},
            ],
        }
    ]
    inputs = made.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    expected = made.tokenizer("how many ship are there")["input_ids"]
    assert inputs["instruction_ids"].tolist() == [expected]
    answer = model.generate(**inputs, max_new_tokens=3, min_new_tokens=3)
    assert answer.shape[1] == inputs["input_ids"].shape[1] + 3


def test_what_cannot_be_specialised_is_said(stage1: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no config\.json"):
        specialise(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="3 experts, 3 tasks and 1 word lists"):
        specialise(stage1, tmp_path / "out", **{**SETTINGS, "prompt_words": [["ship"]]})
    with pytest.raises(UserError, match="no linear layer 'c_attn'"):
        specialise(stage1, tmp_path / "out", **{**SETTINGS, "lora_targets": ["c_attn"]})
    with pytest.raises(UserError, match="must have one part in brackets"):
        specialise(stage1, tmp_path / "out", **{**SETTINGS, "expert_tasks": ["what", *TASKS[1:]]})
    with pytest.raises(UserError, match="'depth' is no setting of stage II"):
        specialise(stage1, tmp_path / "out", depth=3, **SETTINGS)
    assert not (tmp_path / "out").exists()
    out = specialise(stage1, tmp_path / "stage2", **SETTINGS)
    with pytest.raises(UserError, match="is not an empty directory"):
        specialise(stage1, out, **SETTINGS)
    with pytest.raises(UserError, match="has experts already"):
        specialise(out, tmp_path / "out", **SETTINGS)
