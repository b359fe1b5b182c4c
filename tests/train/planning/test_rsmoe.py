"""Plans of an RS-MoE against real small ones, and what recipes and names say."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from skymoe.errors import UserError
from skymoe.models.rsmoe import RsMoeConfig
from skymoe.train.planning.fitting import Machine
from skymoe.train.planning.measuring import measured_rate
from skymoe.train.planning.memory import Estimator, Layout, dtypes_of
from skymoe.train.planning.plan import make_plan
from skymoe.train.planning.reading import ASSETS, Changes, read_stages
from skymoe.train.planning.rsmoe.dimensions import RowStage, RsMoeArchitecture, rsmoe_architecture
from skymoe.train.planning.schedule import arithmetic
from skymoe.train.planning.stage import PRECISIONS, Asked, StageSettings, parameters
from skymoe.train.planning.tensors import TOWER
from skymoe.train.planning.units import GIB
from skymoe.train.recipe import load_recipe
from skymoe.train.recipe_rsmoe import SPECIAL
from skymoe.train.rsmoe.running import rates

from .rehearsed_rows import Rehearsal

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
TEXT: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 512, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
TOWERS = {
    kind: {
        "model_type": kind, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3,
        "num_attention_heads": 2, "image_size": 112, "patch_size": 14,
    }
    for kind in ("clip_vision_model", "instructblip_vision_model")
}  # fmt: skip
QFORMER = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128,
    "cross_attention_frequency": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
EXPERTS = {
    "expert_names": ["theme", "objects", "relations"], "prompt_words": [["a", "b"], ["c"] * 5, ["d"]],
    "prompt_length": 4, "finding_length": 6, "lora_rank": 8, "router_heads": 4,
}  # fmt: skip


def small(
    experts: bool = True, tower: str = "clip_vision_model", text: dict[str, Any] | None = None,
    qformer: dict[str, Any] | None = None, **more: Any,
) -> RsMoeArchitecture:  # fmt: skip
    parts = {"vision_config": TOWERS[tower], "qformer_config": {**QFORMER, **(qformer or {})}}
    settings = {**parts, "text_config": {**TEXT, **(text or {})}, "image_token_index": 511}
    return rsmoe_architecture(
        {**settings, "num_query_tokens": 16, **(EXPERTS if experts else {}), **more}, "small"
    )


def stage(model: RsMoeArchitecture, precision: str = "fp32", everything: bool = False) -> RowStage:
    trains = SPECIAL if model.names and not everything else None
    return RowStage(
        "it", model, 2, trains=trains, frozen=(TOWER,), steps=1, text_tokens=30, answer_tokens=9, rows=2,
        instruction_tokens=7, head_tokens=2, task_tokens=12, found_tokens=5 if model.names else 0,
        precision=PRECISIONS[precision],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "everything", "precision", "checkpointing"),
    [
        ({"experts": False}, False, "fp32", False),
        (
            {
                "experts": False,
                "tower": "instructblip_vision_model",
                "text": {"tie_word_embeddings": True},
                "qformer": {"cross_attention_frequency": 2},
            },
            False,
            "bf16-autocast",
            True,
        ),
        ({}, False, "fp32", False),
        ({"feature_width": 32}, False, "bf16-autocast", True),
        ({"router": "none"}, False, "fp32", True),
        ({"feature_width": 32}, True, "bf16-autocast", False),
    ],
    ids=["stage1", "stage1-tied", "stage2", "stage2-autocast", "no-router", "one-stage"],
)
def test_parameters_flop_and_peak_of_a_step(
    model: dict[str, Any], everything: bool, precision: str, checkpointing: bool
) -> None:
    planned = stage(small(**model), precision, everything)
    rehearsal = Rehearsal(planned, 2, checkpointing)
    counted = parameters(planned)
    assert counted.total == sum(weight.numel() for weight in rehearsal.model.parameters())
    assert counted.trained == sum(weight.numel() for weight in rehearsal.trained)
    assert arithmetic(planned).total(checkpointing) == pytest.approx(rehearsal.flop(), rel=1e-9)
    memory = Estimator(planned).memory(Layout("ddp", 1), 2, checkpointing, accumulates=False)
    assert memory.peak == pytest.approx(rehearsal.peak(), rel=0.06)


def test_findings_that_experts_make_themselves_are_in_the_arithmetic() -> None:
    planned = replace(stage(small()), generated=1.0)
    given = arithmetic(replace(planned, generated=0.0))
    assert arithmetic(planned).total(False) == pytest.approx(Rehearsal(planned, 2, own=True).flop(), rel=1e-9)
    assert arithmetic(planned).forward > given.forward
    assert arithmetic(planned).backward == given.backward


@pytest.mark.parametrize("precision", ["fp32", "bf16-autocast"])
@pytest.mark.parametrize(("experts", "everything"), [(False, False), (True, False), (True, True)])
def test_what_autograd_keeps(experts: bool, everything: bool, precision: str) -> None:
    """Of each layer, the router, and all in all. The first layers also take what many read, which the walk writes down
    elsewhere."""
    planned = stage(small(experts), precision, everything)
    kept = Rehearsal(planned, 2).kept()
    expected: dict[str, float] = {}
    for block in planned.walk(dtypes_of(planned, Layout("ddp", 1))):
        expected[block.name] = expected.get(block.name, 0) + 2 * block.saved + block.copies
    for name, size in kept.items():
        if name in expected:
            assert expected[name] == pytest.approx(size, rel=0.03 if name.endswith("layer 1") else 0.1), name
    assert sum(expected.values()) == pytest.approx(sum(kept.values()), rel=0.12)


def test_the_shipped_model_by_its_checkpoint() -> None:
    (planned,) = read_stages("rs-moe-nano")
    assert isinstance(planned, RowStage)
    counted = parameters(planned)
    config = RsMoeConfig.from_pretrained(ASSETS / "rs-moe-nano")
    assert planned.model.streams == config.num_experts == 3
    assert planned.architecture.image_tokens == config.image_seq_length
    from safetensors import safe_open

    with safe_open(ASSETS / "rs-moe-nano" / "model.safetensors", "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    weights = planned.model_weights()
    assert {name: tuple(shape) for name, shape in shapes.items() if name in weights} == weights
    assert counted.total == sum(prod(shapes[name]) for name in weights)


def test_what_learns_is_what_the_training_teaches() -> None:
    for recipe in ("rs-moe-nano", "rs-moe-nano-one-stage"):
        path = RECIPES / f"{recipe}.yaml"
        for planned, said in zip(read_stages(str(path)), load_recipe(path).stages, strict=True):
            rate_of = rates(said)  # type: ignore[arg-type]
            for name in planned.model_weights():
                assert planned.trained(name) == (rate_of(name) > 0), name


def test_a_recipe_that_says_how_the_shipped_model_was_made() -> None:
    one, two = read_stages(str(RECIPES / "rs-moe-nano.yaml"))
    assert isinstance(one, RowStage)
    assert isinstance(two, RowStage)
    assert (one.model.streams, one.rows, one.precision.name) == (1, 3, "bf16-autocast")
    assert (two.model.streams, two.rows, two.model.reader.channels) == (3, 2, 160)
    assert two.generated == 0.25
    assert parameters(two).adaptor < parameters(one).adaptor, "stage I leaves a narrowed Q-Former"
    assert parameters(two).decoder == parameters(one).decoder
    assert parameters(two).trained == parameters(two).routers + parameters(two).adapters
    (together,) = read_stages(str(RECIPES / "rs-moe-nano-one-stage.yaml"))
    assert parameters(together).frozen == parameters(together).tower


def test_the_large_one_by_name_and_by_recipe() -> None:
    named = read_stages("rs-moe-1b")
    written = read_stages(str(RECIPES / "rs-moe-1b.yaml"))
    same = ("batch_size", "samples", "epochs", "steps", "asked", "precision", "rows", "text_tokens", "answer_tokens",
            "task_tokens", "instruction_tokens", "generated", "trains", "frozen")  # fmt: skip
    for one, other in zip(named, written, strict=True):
        assert {key: getattr(one, key) for key in same} == {key: getattr(other, key) for key in same}
        assert parameters(one) == parameters(other)
    assert named[1].asked == Asked("ddp", 2, True)
    counted = parameters(named[1])
    assert counted.decoder == 1_235_814_400
    assert counted.trained == counted.routers + counted.adapters
    (alone,) = read_stages("rs-moe-1b-stage2")
    assert alone.name == "stage2"
    assert parameters(alone) == counted


def test_a_plan_as_plain_values_chooses_what_can_be_run() -> None:
    planned = stage(small())
    machine = Machine(4, 80 * GIB, GIB, 100e12, 300e9)
    plan = make_plan(planned, machine)
    found = plan.to_dict()
    assert found["rs_moe"]["experts"] == ["theme", "objects", "relations"]
    assert found["rs_moe"]["row_tokens"] == [16 + 4 + 18 + 30, 2 + 16 + 4 + 12 + 5]
    assert found["answering"]["ratio_to_dense"] > 3
    assert plan.best is not None
    assert plan.best.layout.strategy == "ddp"
    sent = {layout["strategy"]: layout["sent_per_step"] for layout in found["layouts"]}
    assert sent["fsdp"] > sent["zero2"] > sent["ddp"] > 0
    fewer = make_plan(stage(small(experts=False)), machine).to_dict()
    assert fewer["answering"]["ratio_to_dense"] == 1


def test_the_rate_of_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skymoe.train.planning.measuring.SECONDS", 0.01)
    assert 1e6 < measured_rate(stage(small()))[0] < 1e16


@pytest.mark.parametrize(
    ("target", "change", "message"),
    [
        ("rs-moe-nano", {"experts": 4}, "--experts is for a SkyMoE"),
        ("rs-moe-nano", {"lora": 4}, "--lora is for a SkyMoE"),
        ("rs-moe-2b", {}, "did you mean 'rs-moe-"),
    ],
)
def test_mistakes_are_named_in_one_line(target: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_stages(target, changes=Changes(**change))
    assert "\n" not in str(caught.value)


def test_a_base_or_decoder_that_is_not_known(tmp_path: Path) -> None:
    text = (RECIPES / "rs-moe-1b.yaml").read_text(encoding="utf-8")
    (tmp_path / "a.yaml").write_text(text.replace("meta-llama/Llama-3.2-1B", "nobody/nothing"))
    with pytest.raises(UserError, match=r"base\.decoder 'nobody/nothing' is not here"):
        read_stages(str(tmp_path / "a.yaml"))
    (tmp_path / "b.yaml").write_text(text.replace("  decoder: meta-llama/Llama-3.2-1B\n", ""))
    with pytest.raises(UserError, match=r"say base\.decoder"):
        read_stages(str(tmp_path / "b.yaml"))


def test_specialists_need_an_encoder(tmp_path: Path) -> None:
    text = (RECIPES / "rs-moe-nano-one-stage.yaml").read_text(encoding="utf-8")
    text = text.replace("    resampler: {queries: 32, layers: 3}\n    everything: true\n", "")
    (tmp_path / "c.yaml").write_text(text.replace("runs/nano/stage1/model", "nano"))
    with pytest.raises(UserError, match=r"has experts inside|put a stage of kind 'encoder'"):
        read_stages(str(tmp_path / "c.yaml"))
    assert issubclass(RowStage, StageSettings)
