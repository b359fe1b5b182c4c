"""A checkpoint that is not whole is refused by name, whoever reads it; one that is whole is read as before."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
)

from skymoe.errors import UserError
from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.models.whole_weights import check_finite, read_config, read_model, read_processor

from .damaged import (
    FFN,
    FILES,
    LEFT_OVER,
    NORM,
    TENSORS,
    Damage,
    change,
    marker,
    pickle_payload,
    poison,
    save_sharded,
    shards,
)
from .tiny_models import TEXT, skymoe, skymoe_processor


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sharded(skymoe(num_experts=0), tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def refused(message: str, folder: Path, read: object, caplog: pytest.LogCaptureFixture) -> None:
    assert callable(read)
    with caplog.at_level(logging.WARNING), pytest.raises(UserError, match=message) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert str(folder) in str(caught.value)
    assert not caplog.records, "the error says it, the library's table does not have to"
    assert not marker(folder).exists()


@pytest.mark.parametrize(("damage", "message"), [*TENSORS.values(), LEFT_OVER, *FILES.values()],
                         ids=[*TENSORS, "left over", *FILES])  # fmt: skip
def test_reading_a_model(
    folder: Path, damage: Damage, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder)
    refused(message, folder, lambda f: read_model(SkyMoeForConditionalGeneration, f), caplog)


@pytest.mark.parametrize(("damage", "message"), [*TENSORS.values(), *FILES.values()], ids=[*TENSORS, *FILES])
def test_transformers_auto_classes(
    folder: Path, damage: Damage, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads our models without us gets the same guarantees."""
    damage(folder)
    refused(message, folder, AutoModelForImageTextToText.from_pretrained, caplog)


def test_auto_classes_say_what_is_left_over(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    LEFT_OVER[0](folder)
    AutoModelForImageTextToText.from_pretrained(folder)
    assert "stray" in caplog.text


@pytest.mark.parametrize(("damage", "message"), [*TENSORS.values(), LEFT_OVER, *FILES.values()],
                         ids=[*TENSORS, "left over", *FILES])  # fmt: skip
def test_upcycling(folder: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    damage(folder)
    said = {TENSORS["renamed"][1]: "lacks .*norm|holds 1 tensors .*nrom"}.get(message, message)
    with pytest.raises(UserError, match=said) as caught:
        upcycle(folder, tmp_path / "out", num_experts=2)
    assert "\n" not in str(caught.value)
    assert not marker(folder).exists()
    assert not [*tmp_path.glob("out"), *tmp_path.glob("out.partial")], "nothing half made stays"


def test_who_judges_for_himself_gets_what_transformers_gives(folder: Path) -> None:
    change(folder, lambda state: state.pop(NORM, None))
    _, told = SkyMoeForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert told["missing_keys"] == {NORM}


def test_a_whole_model_is_read_as_it_is(saved: Path, tmp_path: Path) -> None:
    model = skymoe(num_experts=0)
    for read in (
        read_model(SkyMoeForConditionalGeneration, saved),
        AutoModelForImageTextToText.from_pretrained(saved),
    ):
        torch.testing.assert_close(read.state_dict(), model.state_dict(), rtol=0, atol=0)
        assert not read.training
    upcycle(saved, tmp_path / "sparse", num_experts=2)
    assert read_model(AutoModelForImageTextToText, tmp_path / "sparse").config.num_experts == 2


def test_tied_heads_and_hub_links_are_no_false_alarms(tmp_path: Path) -> None:
    """As in the hub's cache: the folder's files are links to blobs elsewhere."""
    model = skymoe(num_experts=0, tie_word_embeddings=True, text={"tie_word_embeddings": True})
    whole = save_sharded(model, tmp_path / "whole")
    assert all("lm_head.weight" not in load_file(file) for file in shards(whole))
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(whole.iterdir())):
        shutil.move(file, blobs / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    read = read_model(SkyMoeForConditionalGeneration, snapshot)
    torch.testing.assert_close(read.state_dict(), model.state_dict(), rtol=0, atol=0)


def test_neither_embedding_nor_tied_head(tmp_path: Path) -> None:
    model = skymoe(num_experts=0, tie_word_embeddings=True, text={"tie_word_embeddings": True})
    model.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["model.language_model.embed_tokens.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks .*embed_tokens"):
        read_model(SkyMoeForConditionalGeneration, tmp_path)


@pytest.mark.parametrize("extra", ["language_model.model.layers.0.self_attn.rotary_emb.inv_freq", None])
def test_a_llava_of_the_hub_with_its_old_names_is_read(tmp_path: Path, extra: str | None) -> None:
    model = skymoe(num_experts=0)
    config = {
        **model.config.to_dict(),
        "model_type": "llava",
        "architectures": ["LlavaForConditionalGeneration"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    state = {}
    for name, tensor in model.state_dict().items():
        old = name.replace("model.language_model.", "language_model.model.").replace(
            "lm_head.", "language_model.lm_head."
        )
        old = old.replace("model.vision_tower.", "vision_tower.vision_model.").replace(
            "model.multi_modal", "multi_modal"
        )
        state[old] = tensor.contiguous()
    if extra:
        state[extra] = torch.ones(4)
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    read = read_model(LlavaForConditionalGeneration, tmp_path)
    torch.testing.assert_close(read.lm_head.weight, model.lm_head.weight, rtol=0, atol=0)


def test_a_decoder_and_a_tower_alone(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**{k: v for k, v in TEXT.items() if k != "model_type"})).save_pretrained(
        tmp_path / "d"
    )
    read_model(AutoModelForCausalLM, tmp_path / "d")
    tower = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=96))
    tower.save_pretrained(tmp_path / "t")
    read_model(EfficientNetLiteModel, tmp_path / "t")
    state = load_file(tmp_path / "t" / "model.safetensors")
    state["stem.weight"][0] = torch.nan
    save_file(state, tmp_path / "t" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"NaN or infinity .*stem.weight"):
        read_model(EfficientNetLiteModel, tmp_path / "t")


def test_new_weights_may_be_missing_where_they_are_named(folder: Path) -> None:
    change(folder, lambda state: state.pop(NORM, None))
    read_model(SkyMoeForConditionalGeneration, folder, fresh=("language_model.norm",))


def test_safetensors_are_taken_where_a_pickle_lies_beside_them(folder: Path) -> None:
    pickle_payload(folder / "pytorch_model.bin", {})
    read_model(SkyMoeForConditionalGeneration, folder)
    upcycle(folder, folder.parent / "out", num_experts=2)
    assert not marker(folder).exists()


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn]
)
@pytest.mark.parametrize("place", [0, 500, 1002])
def test_every_kind_of_number_is_looked_at(dtype: torch.dtype, place: int) -> None:
    values = torch.linspace(-3, 3, 1003)
    check_finite([("a", values.to(dtype)), ("empty", torch.ones(0)), ("words", torch.arange(3))], "here")
    values[place] = torch.nan
    with pytest.raises(UserError, match=r"here: 1 of its tensors hold NaN or infinity .*\(a\)"):
        check_finite([("a", values.to(dtype))], "here")


def test_weights_too_large_for_half_precision_are_told(folder: Path) -> None:
    change(folder, poison(1e6))
    read_model(SkyMoeForConditionalGeneration, folder, dtype=torch.bfloat16)
    with pytest.raises(UserError, match=rf"as float16 \({FFN}\)"):
        read_model(SkyMoeForConditionalGeneration, folder, dtype=torch.float16)


def test_code_in_a_checkpoint_is_never_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anybody asked whether to: a "y" on the terminal would be enough for the library."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for module in ("configuration_x", "modeling_x", "processing_x", "tokenization_x"):
        (folder / f"{module}.py").write_text(f"open({str(marker(folder))!r}, 'w')\nclass X: pass\n")
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(f"open({str(marker(folder))!r}, 'w')\n")
    skymoe_processor().save_pretrained(folder)
    code = {"AutoConfig": "configuration_x.X", "AutoModelForImageTextToText": "modeling_x.X",
            "AutoProcessor": "processing_x.X", "AutoTokenizer": ["tokenization_x.X", "tokenization_x.X"]}  # fmt: skip
    for name in ("config.json", "tokenizer_config.json", "processor_config.json"):
        told = json.loads((folder / name).read_text()) | {"auto_map": code}
        (folder / name).write_text(json.dumps(told))
    assert isinstance(read_config(folder), SkyMoeConfig)
    read_model(AutoModelForImageTextToText, folder)
    read_processor(folder)
    strange = json.loads((folder / "config.json").read_text()) | {"model_type": "strange"}
    (folder / "config.json").write_text(json.dumps(strange))
    for read in (read_config, lambda f: read_model(AutoModelForImageTextToText, f), read_processor):
        with contextlib.suppress(ValueError):
            read(folder)
    assert not marker(folder).exists()
