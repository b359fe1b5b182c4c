"""Models are found by name or directory, and what is wrong with one is said in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

import skymoe
from engine.tiny_model import build
from models.damaged import FILES, LEFT_OVER, TENSORS, Damage, marker, save_sharded
from skymoe.engine import SkyMoe, checkpoint
from skymoe.errors import UserError
from skymoe.tasks import Query


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, processor = build()
    path = tmp_path_factory.mktemp("tiny")
    model.half().save_pretrained(path)
    processor.save_pretrained(path)
    return path


def test_a_saved_model_answers_as_before(directory: Path, pictures: list[Image.Image]) -> None:
    model, processor = build()
    for weight in model.parameters():  # not the buffers: rotary frequencies are not stored
        weight.data = weight.half().float()
    before = SkyMoe(model, processor)
    after = skymoe.load(directory)
    assert after.model.dtype == torch.float32
    assert not after.model.training
    queries = [
        Query("count", "ship"),
        Query("ground", "the largest ship"),
        Query("classify"),
        Query("caption"),
    ]
    assert [a.text for a in after.answer(pictures[0], queries)] == [
        a.text for a in before.answer(pictures[0], queries)
    ]


def test_bfloat16_answers_too(directory: Path, pictures: list[Image.Image]) -> None:
    model = skymoe.load(directory, device="cpu", dtype="bfloat16")
    assert model.model.dtype == torch.bfloat16
    queries = [
        Query("count", "ship"),
        Query("ground", "the largest ship"),
        Query("classify"),
        Query("caption"),
    ]
    assert all(answer.parsed for answer in model.answer(pictures[0], queries, num_beams=2))


def test_a_stock_llava_answers_too(pictures: list[Image.Image], tmp_path: Path) -> None:
    _, processor = build()
    tokenizer = processor.tokenizer
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=96,
        patch_size=32,
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=processor.image_token_id)
    LlavaForConditionalGeneration(config).save_pretrained(tmp_path)
    LlavaProcessor(
        processor.image_processor, tokenizer, patch_size=32, vision_feature_select_strategy="default",
        chat_template=processor.chat_template, image_token="<image>", num_additional_image_tokens=1,
    ).save_pretrained(tmp_path)  # fmt: skip
    assert skymoe.load(tmp_path).ground(pictures[0], "the ship").parsed


def broken(directory: Path, tmp_path: Path, name: str) -> Path:
    copy = tmp_path / name
    shutil.copytree(directory, copy)
    if name == "no weights":
        (copy / "model.safetensors").unlink()
    elif name == "half the weights":
        data = (copy / "model.safetensors").read_bytes()
        (copy / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif name == "no config":
        (copy / "config.json").unlink()
    elif name == "config of nonsense":
        (copy / "config.json").write_text("{")
    elif name == "config of another model":
        (copy / "config.json").write_text(json.dumps({"model_type": "bert"}))
    elif name == "no tokenizer":
        (copy / "tokenizer.json").unlink()
    elif name == "no template":
        (copy / "chat_template.jinja").unlink()
    return copy


@pytest.mark.parametrize(
    "name", ["no weights", "half the weights", "no config", "config of nonsense", "config of another model",
             "no tokenizer", "no template"],
)  # fmt: skip
def test_a_broken_checkpoint_says_so_in_one_line(directory: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        skymoe.load(broken(directory, tmp_path, name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, processor = build()
    path = save_sharded(model, tmp_path_factory.mktemp("sharded"))
    processor.save_pretrained(path)
    return path


@pytest.mark.parametrize(("damage", "message"), [*TENSORS.values(), LEFT_OVER, *FILES.values()],
                         ids=[*TENSORS, "left over", *FILES])  # fmt: skip
def test_damaged_weights_are_refused_by_name(
    sharded: Path, tmp_path: Path, damage: Damage, message: str
) -> None:
    damaged = Path(shutil.copytree(sharded, tmp_path / "model"))
    damage(damaged)
    with pytest.raises(UserError, match=message) as caught:
        skymoe.load(damaged)
    assert "\n" not in str(caught.value)
    assert not marker(damaged).exists()


@pytest.mark.parametrize("name", ["nanoo", "/no/such/place", "./nano", "a/b/c", ""])
def test_unknown_models_say_what_there_is(name: str) -> None:
    with pytest.raises(
        UserError, match=r"unknown model .*give nano, rs-moe-nano, the directory of a checkpoint or a hub id"
    ):
        skymoe.load(name)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        skymoe.load(tmp_path / "model.bin")


def test_a_hub_without_network_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="no such directory, and the hub says"):
        checkpoint.find("nobody/has-this")


@pytest.mark.parametrize(
    ("option", "value"), [("device", "cuda:77"), ("device", "toaster"), ("dtype", "int3")]
)
def test_unknown_devices_and_dtypes_say_so(directory: Path, option: str, value: str) -> None:
    with pytest.raises(UserError, match=value):
        skymoe.load(directory, **{option: value})
