"""What upcycling refuses, in one line that names the remedy, and leaves nothing behind when it fails."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from skymoe.errors import UserError
from skymoe.models.skymoe.shards import parse_size
from skymoe.models.skymoe.upcycling import upcycle

from .tiny_models import skymoe


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    skymoe(num_experts=0).save_pretrained(folder)
    return folder


@pytest.fixture
def base(saved, tmp_path) -> Path:
    """A dense checkpoint that the test may damage."""
    folder = tmp_path / "base"
    folder.mkdir()
    for file in saved.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def refused(message: str, *args, **settings) -> None:
    with pytest.raises(UserError, match=message) as caught:
        upcycle(*args, **settings)
    assert "\n" not in str(caught.value)


def change_config(folder: Path, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_place_in_use(base, tmp_path) -> None:
    refused("exists and is not an empty directory", base, base)
    (tmp_path / "file").write_text("")
    refused("exists", base, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    upcycle(base, tmp_path / "empty")
    assert (tmp_path / "empty/model.safetensors").is_file()


def test_no_checkpoint(tmp_path) -> None:
    refused("is no directory", tmp_path / "nowhere", tmp_path / "out")
    refused("is no directory", "no such model", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    refused("has no config.json: give a whole checkpoint", tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty/adapter_config.json").write_text("{}")
    refused("merge the LoRA adapter", tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty/config.json").write_text('{"model_type": "bert"}')
    refused("is a 'bert' model", tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty/config.json").write_text("{")
    refused("config.json cannot be read", tmp_path / "empty", tmp_path / "out")


def test_pickled_weights_are_never_opened(base, tmp_path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    refused("only pickled weights", base, tmp_path / "out")
    (base / "pytorch_model.bin").unlink()
    refused("holds neither model.safetensors nor", base, tmp_path / "out")


def test_damaged_weights(base, tmp_path) -> None:
    weights = base / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused("is broken .*fetch it again", base, tmp_path / "out")
    weights.unlink()
    index = base / "model.safetensors.index.json"
    for content, message in (
        (
            {"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}},
            "is named in .* but missing",
        ),
        ({"weight_map": {"lm_head.weight": "../elsewhere.safetensors"}}, "is not a checkpoint index"),
        ({"weight_map": {}}, "is not a checkpoint index"),
        ([], "is not a checkpoint index"),
    ):
        index.write_text(json.dumps(content))
        refused(message, base, tmp_path / "out")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.pop("model.language_model.norm.weight"), "lacks model.language_model.norm.weight"),
        (lambda s: s.pop("model.language_model.layers.2.mlp.up_proj.weight"), "lacks .*layers.2.mlp.up_proj"),
        (lambda s: s.update(extra=torch.ones(2)), "holds 1 tensors .*such as extra"),
        (lambda s: s.update({"lm_head.weight": torch.ones(7, 32)}), r"has shape \(7, 32\), .* \(99, 32\)"),
        (
            lambda s: s.update({"language_model.lm_head.weight": torch.ones(99, 32)}),
            "holds lm_head.weight twice",
        ),
        (
            lambda s: s.update({"lm_head.weight": torch.ones(99, 32).to(torch.int8)}),
            "stored as I8, a quantised",
        ),
        (
            lambda s: s.update(
                {"model.vision_tower.embeddings.position_embedding.weight": torch.ones(7, 24)}
            ),
            r"has shape \(7, 24\), expected a square grid",
        ),
    ],
)
def test_weights_that_do_not_fit_their_config(base, tmp_path, damage, message: str) -> None:
    state = load_file(base / "model.safetensors")
    damage(state)
    save_file(state, base / "model.safetensors")
    refused(message, base, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [base]


def test_models_that_cannot_be_upcycled(base, tmp_path) -> None:
    upcycle(base, tmp_path / "sparse")
    refused("has 8 experts already", tmp_path / "sparse", tmp_path / "out")
    change_config(base, quantization_config={"quant_method": "awq"})
    refused("is quantised", base, tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": 9}, "num_experts_per_tok=9"),
        ({"layers": [7]}, r"moe_layers=\[7\]"),
        ({"offset": 4}, "moe_layer_offset=4"),
        ({"image_size": 30}, "image_size=30 must be a multiple of the tower's patches of 14"),
        ({"image_size": 0}, "image_size=0"),
        ({"dtype": "int4"}, "dtype='int4' must be one of"),
        ({"max_shard_size": "big"}, "max_shard_size='big'"),
        ({"router_conditioning": "x"}, "router_conditioning='x'"),
    ],
)
def test_impossible_wishes(saved, tmp_path, settings: dict, message: str) -> None:
    refused(message, saved, tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing(base, tmp_path, monkeypatch) -> None:
    """The weights vanish after they were checked: neither `out` nor the unfinished directory stays."""
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial/leftover").write_text("of a run that was killed")
    (base / "processor_config.json").write_text("{")
    refused("processor files of .* cannot be read", base, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [base]


def test_sizes() -> None:
    assert [parse_size(s) for s in (7, "2GB", "1.5 MB", "10K", "300")] == [
        7,
        2 * 10**9,
        1_500_000,
        10_000,
        300,
    ]
    for wrong in ("", "GB", "0GB", "-1GB", "2 apples"):
        with pytest.raises(UserError, match="is not a size"):
            parse_size(wrong)


def test_hub_ids_come_from_the_hubs_cache(saved, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    refused("cannot be fetched from the hub", "someone/model", tmp_path / "out")
    repository = tmp_path / "cache/models--someone--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    (repository / "snapshots").mkdir()
    (repository / "snapshots/abc").symlink_to(saved)
    upcycle("someone/model", tmp_path / "out")
    assert (tmp_path / "out/model.safetensors").is_file()
