"""What a config.json tells of and what the weights hold are compared before either takes memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForImageTextToText

import skymoe.train.basing as basing
from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.models.whole_weights import read_config, read_model, read_processor

from .tiny_models import skymoe, skymoe_processor

NORM = "model.language_model.norm.weight"
KINDS = (SkyMoeForConditionalGeneration, AutoModelForImageTextToText)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    skymoe().save_pretrained(tmp_path / "model")
    skymoe_processor().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def set_types(folder: Path, dtype: torch.dtype, names: tuple[str, ...] = ()) -> None:
    state = load_file(folder / "model.safetensors")
    changed: dict[str, Tensor] = {
        name: weight.to(dtype) if not names or name in names else weight for name, weight in state.items()
    }
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})


def set_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        part, _, name = key.rpartition("__")
        (config[part] if part else config)[name] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "dtype",
    [torch.int8, torch.int32, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn],
    ids=str,
)
def test_weights_that_are_no_floats_are_refused(folder: Path, kind: Any, dtype: torch.dtype) -> None:
    """They would be taken as they are, and the model would answer nonsense."""
    set_types(folder, dtype, (NORM,))
    with pytest.raises(UserError, match=rf"holds 1 tensors as .*\({NORM}\): save it in float32") as caught:
        kind.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="holds 1 tensors as"):
        read_model(kind, folder)


def test_a_model_of_bytes_is_refused_without_its_quantisation(folder: Path) -> None:
    set_types(folder, torch.int8)
    with pytest.raises(UserError, match=r"tensors as I8 \(.* more\)"):
        read_model(SkyMoeForConditionalGeneration, folder)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_floats_of_any_width_are_read(folder: Path, dtype: torch.dtype) -> None:
    set_types(folder, dtype)
    read_model(SkyMoeForConditionalGeneration, folder, dtype=torch.float32)


def test_counters_and_positions_may_be_integers(folder: Path) -> None:
    """As old CLIP checkpoints hold them."""
    state = load_file(folder / "model.safetensors")
    state["model.vision_tower.embeddings.position_ids"] = torch.arange(5)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    read_model(SkyMoeForConditionalGeneration, folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [{"text_config__vocab_size": 10**6}, {"text_config__hidden_size": 2**24}, {"num_experts": 10**9}],
    ids=str,
)
def test_a_config_of_a_larger_model_takes_no_memory(folder: Path, kind: Any, change: dict[str, Any]) -> None:
    set_config(folder, **change)
    with pytest.raises(UserError, match=r"its config.json tells of [\d,]+ numbers, its weights hold [\d,]+:"):
        kind.from_pretrained(folder)


@pytest.mark.parametrize("part", ["text_config", "vision_config"])
def test_layers_without_end_are_refused_before_one_is_built(folder: Path, part: str, tmp_path: Path) -> None:
    set_config(folder, num_experts=0, **{f"{part}__num_hidden_layers": 10**9})
    reads = (
        lambda: read_config(folder),
        lambda: read_model(SkyMoeForConditionalGeneration, folder),
        lambda: upcycle(folder, tmp_path / "out"),
        lambda: basing.base_config(str(folder)),
    )
    for read in reads:
        with pytest.raises(UserError, match="num_hidden_layers=1,000,000,000, more than"):
            read()


@pytest.mark.parametrize("what", ["nested", "a word for an object", "a list for an object"])
def test_a_config_of_another_shape_is_told_in_a_line(folder: Path, what: str, tmp_path: Path) -> None:
    if what == "nested":
        (folder / "config.json").write_text("[" * 10**6)
    else:
        set_config(folder, text_config="x" if what.startswith("a word") else [1])
    reads = (
        lambda: read_config(folder),
        lambda: upcycle(folder, tmp_path / "out"),
        lambda: basing.base_config(str(folder)),
        lambda: read_model(SkyMoeForConditionalGeneration, folder),
    )
    for read in reads:
        with pytest.raises(UserError) as caught:
            read()
        assert "\n" not in str(caught.value)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "processor_config.json"])
def test_a_processor_nested_without_end_is_told_in_a_line(folder: Path, name: str) -> None:
    (folder / name).write_text('{"a":' + "[" * 10**6)
    with pytest.raises((ValueError, OSError)):
        read_processor(folder)
    with pytest.raises(UserError, match=r"base.model: .*") as caught:
        basing._processor(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("same", [True, False])
def test_a_tied_head_with_numbers_of_its_own(tmp_path: Path, kind: Any, same: bool) -> None:
    """Which of the two was meant, nobody can know; twice the same is what older libraries wrote."""
    skymoe(tie_word_embeddings=True, text={"tie_word_embeddings": True}).save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    embedding = state["model.language_model.embed_tokens.weight"]
    state["lm_head.weight"] = embedding.clone() if same else embedding + 1
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    if same:
        kind.from_pretrained(tmp_path)
        return
    with pytest.raises(UserError, match=r"tie_word_embeddings=true, but it holds lm_head.weight"):
        kind.from_pretrained(tmp_path)
