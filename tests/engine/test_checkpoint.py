"""Models are found by name or directory, and what is wrong with one is said in one line."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.models.whole_weights import read_config
from skymoe.tasks import Query
from skymoe.train.basing import base_config


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


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + "/b", "owner/\ud800", "a\0b"])
def test_names_that_no_system_takes(name: str, tmp_path: Path) -> None:
    reads: list[Callable[[], Any]] = [
        lambda: skymoe.load(name),
        lambda: read_config(name),
        lambda: base_config(name),
        lambda: upcycle(name, tmp_path / "out"),
    ]
    for read in reads:
        with pytest.raises(UserError, match=r"cannot be looked up \(.*\): give the directory") as caught:
            read()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


def test_the_home_of_nobody() -> None:
    with pytest.raises(UserError, match="unknown model '~nosuchuser/x'"):
        skymoe.load("~nosuchuser/x")


@pytest.fixture
def guarded(directory: Path) -> Iterator[Path]:
    """A copy that may be seen but not read, as an ordinary user: for root, permissions are none."""
    outside = Path(tempfile.mkdtemp())
    outside.chmod(0o755)
    copy = Path(shutil.copytree(directory, outside / "model"))
    copy.chmod(0o755)
    for file in copy.iterdir():
        file.chmod(0o644)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if os.name == "nt":
        pytest.skip("Windows has other permissions")
    yield copy
    if root:
        os.seteuid(0)
    copy.chmod(0o755)
    shutil.rmtree(outside)


def as_a_user() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_weights_that_nobody_may_read(guarded: Path) -> None:
    (guarded / "model.safetensors").chmod(0)
    as_a_user()
    with pytest.raises(UserError, match=r"model.safetensors can't be read \(Permission denied\)"):
        skymoe.load(guarded)


def test_a_folder_that_nobody_may_enter(guarded: Path) -> None:
    guarded.chmod(0o600)
    as_a_user()
    for read in (skymoe.load, base_config, lambda folder: upcycle(folder, guarded.parent / "out")):
        with pytest.raises(UserError, match=r"read \(.*(Permission denied|config.json)") as caught:
            read(str(guarded))
        assert "\n" not in str(caught.value)
