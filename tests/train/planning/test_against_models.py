"""Predicted against real: names and shapes of weights, what autograd keeps, FLOP, the peak of a training step."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import AutoConfig

from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration
from skymoe.train.planning.architecture import TEXT_DEFAULTS, VISION_DEFAULTS, Architecture, architecture
from skymoe.train.planning.measuring import measured_rate
from skymoe.train.planning.memory import Layout, dtypes_of
from skymoe.train.planning.reading import ASSETS, read_stages
from skymoe.train.planning.rehearsal import Rehearsal
from skymoe.train.planning.stage import PRECISIONS, StageSettings
from skymoe.train.planning.tensors import weights
from skymoe.train.planning.walk import walk

ROOT = Path(__file__).resolve().parents[3]
TEXT: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 199, "hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 4, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
CLIP: dict[str, Any] = {
    "model_type": "clip_vision_model", "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3,
    "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
}  # fmt: skip
SIGLIP = {**CLIP, "model_type": "siglip_vision_model"}
EXPERTS = (".mlp.experts.", ".mlp.router.")


def settings(
    text: dict[str, Any] | None = None, vision: dict[str, Any] = CLIP, **more: Any
) -> dict[str, Any]:
    shapes = {"text_config": {**TEXT, **(text or {})}, "vision_config": vision}
    return {**shapes, "image_token_index": 198, "num_experts": 4, **more}


def small(**changes: Any) -> Architecture:
    return architecture({"model_type": "skymoe", **settings(**changes)}, "small")


def on_meta(config: SkyMoeConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = SkyMoeForConditionalGeneration(config)
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


@pytest.fixture(scope="module")
def benchmark_module() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("plan")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_experts": 0},
        {"vision": SIGLIP},
        {"vision": {**SIGLIP, "vision_use_head": False}},
        {"router_conditioning": "instruction", "moe_layers": [1]},
        {"text": {"model_type": "qwen2", "num_key_value_heads": 2}},
        {"text": {"model_type": "qwen3", "head_dim": 8}},
        {"text": {"model_type": "mistral"}},
        {"text": {"attention_bias": True}, "multimodal_projector_bias": False},
        {"tie_word_embeddings": True, "vision_feature_layer": [-2, -1]},
    ],
    ids=lambda changes: "-".join(changes) or "plain",
)
def test_every_weight_has_its_name_and_shape(changes: dict[str, Any]) -> None:
    config = SkyMoeConfig(**settings(**changes))
    assert weights(architecture(config.to_dict(), "it")) == on_meta(config)


def test_the_shipped_model_and_its_tower() -> None:
    """nano's tower is no transformer: its weights are asked of itself."""
    (stage,) = read_stages("nano")
    assert weights(stage.architecture) == on_meta(SkyMoeConfig.from_pretrained(ASSETS / "nano"))


def test_a_decoder_that_is_not_known_is_asked() -> None:
    config = SkyMoeConfig(**settings(text={"model_type": "gemma", "head_dim": 32}))
    model = architecture(config.to_dict(), "it")
    assert not model.decoder.known
    assert weights(model) == on_meta(config)


@pytest.mark.parametrize("kind", [*TEXT_DEFAULTS, *VISION_DEFAULTS])
def test_what_a_configuration_leaves_out_is_what_the_library_takes(kind: str) -> None:
    part = "text_config" if kind in TEXT_DEFAULTS else "vision_config"
    short = {
        "model_type": "llava",
        "text_config": {"model_type": "llama"},
        "vision_config": CLIP,
        part: {"model_type": kind},
    }
    long = {**short, part: AutoConfig.for_model(kind).to_dict()}
    one, other = architecture(short, "it"), architecture(long, "it")
    assert (one.decoder, one.tower, one.image_tokens) == (other.decoder, other.tower, other.image_tokens)


@pytest.mark.parametrize("precision", ["fp32", "pure-bf16", "bf16-autocast"])
@pytest.mark.parametrize(
    ("experts", "trains", "kernel"),
    [(0, None, "eager"), (4, None, "grouped_mm"), (4, EXPERTS, "grouped_mm"), (4, EXPERTS, "eager")],
)
def test_what_autograd_keeps_of_each_layer(
    experts: int, trains: tuple[str, ...] | None, kernel: str, precision: str
) -> None:
    """Bytes of the tensors that the backward pass will need, layer by layer, within 3 %."""
    stage = StageSettings(
        "it", small(num_experts=experts), 2, trains=trains, steps=1, text_tokens=48, answer_tokens=12,
        precision=PRECISIONS[precision], kernel=kernel,
    )  # fmt: skip
    rehearsal = Rehearsal(stage, 2)
    own = {weight.untyped_storage().data_ptr() for weight in rehearsal.model.parameters()}
    held: dict[int, Any] = {}  # storages by address, kept so that no address is used twice
    kept: dict[str, int] = {}
    place = [""]

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.data_ptr() not in held:
            held[storage.data_ptr()] = storage
            kept[place[0]] = kept.get(place[0], 0) + storage.nbytes()
        return tensor

    for index, layer in enumerate(rehearsal.model.model.language_model.layers):
        layer.register_forward_pre_hook(lambda *_, index=index: place.__setitem__(0, f"layer {index}"))
        layer.register_forward_hook(lambda *_: place.__setitem__(0, ""))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=rehearsal.autocast),
    ):
        rehearsal.model(**rehearsal.inputs, answers_only=True)
    for block in walk(stage, dtypes_of(stage, Layout("ddp", 1))):
        if block.name.startswith("layer") and kept.get(block.name):
            assert 2 * block.saved + block.copies == pytest.approx(kept[block.name], rel=0.03), block.name


@pytest.mark.parametrize(
    ("experts", "trains", "kernel", "precision", "checkpointing", "accumulation", "tolerance"),
    [
        (0, None, "eager", "fp32", False, 1, 0.05),
        (0, None, "eager", "fp32", True, 2, 0.10),
        (4, EXPERTS, "grouped_mm", "fp32", False, 1, 0.05),
        (4, EXPERTS, "eager", "fp32", True, 2, 0.10),
        (4, None, "grouped_mm", "bf16", True, 1, 0.20),
    ],
)
def test_parameters_flop_and_peak_of_a_step(
    benchmark_module: ModuleType,
    experts: int,
    trains: tuple[str, ...] | None,
    kernel: str,
    precision: str,
    checkpointing: bool,
    accumulation: int,
    tolerance: float,
) -> None:
    stage = StageSettings(
        "it", benchmark_module.small(128, 4, experts), 4 * accumulation, trains=trains, steps=1, text_tokens=96,
        answer_tokens=16, precision=PRECISIONS[precision], kernel=kernel,
    )  # fmt: skip
    row = benchmark_module.measure(stage, 4, accumulation, checkpointing)
    assert row["parameters_equal"]
    assert row["flop_equal"] in (True, None)
    assert row["peak_ratio"] == pytest.approx(1, abs=tolerance)


def test_the_benchmark_prints_what_it_promises(
    benchmark_module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(benchmark_module, "CASES", benchmark_module.CASES[3:4])
    threads = str(torch.get_num_threads())
    assert benchmark_module.main(["--quick", "--threads", threads, "--out", str(tmp_path / "plan.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert report["benchmark"] == "plan"
    assert report["parameters_equal"]
    (row,) = report["rows"]
    assert row["case"] == "experts, experts train, grouped_mm, fp32, kept, 2 × 1"
    assert report["peak_ratio"] == {"least": row["peak_ratio"], "most": row["peak_ratio"]}


def test_an_unknown_tower_is_walked_on_the_meta_device() -> None:
    """The EfficientNet of nano: frozen it keeps nothing, trained it keeps about its feature maps."""
    config = json.loads((ASSETS / "nano" / "config.json").read_text(encoding="utf-8"))
    stage = StageSettings("it", architecture(config, "nano"), 1, steps=1, precision=PRECISIONS["fp32"])
    learnt, frozen = (
        walk(one, dtypes_of(one, Layout("ddp", 1)))[0]
        for one in (stage, replace(stage, frozen=("model.vision_tower.",)))
    )
    assert learnt.forward == frozen.forward > 5e8
    assert frozen.backward == 0
    assert learnt.backward > 1.5 * learnt.forward
    assert learnt.saved > 10 * frozen.saved


@pytest.mark.parametrize("experts", [0, 4])
def test_the_rate_of_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch, experts: int) -> None:
    monkeypatch.setattr("skymoe.train.planning.measuring.SECONDS", 0.01)
    stage = StageSettings("it", small(num_experts=experts), 2, steps=1)
    rate, origin = measured_rate(stage)
    assert 1e6 < rate < 1e16
    assert origin.startswith("measured on")


def test_a_model_too_large_to_be_measured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    with pytest.raises(UserError, match="--measure needs"):
        measured_rate(StageSettings("it", small(), 2, steps=1))


def test_the_shipped_recipe_can_be_planned() -> None:
    stages = read_stages(str(ROOT / "recipes" / "nano.yaml"))
    assert [stage.name for stage in stages] == ["tower", "tiles", "stage1", "stage2"]
    assert stages[0].tower_only
    assert stages[-1].architecture.experts == 8
    assert stages[1].architecture.experts == 0
