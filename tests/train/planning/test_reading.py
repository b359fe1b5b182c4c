"""What can be planned: names, recipes, configurations; and mistakes, in one line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skymoe.errors import UserError
from skymoe.train.planning.architecture import architecture, read_architecture
from skymoe.train.planning.known import CLIP_LARGE, known_names
from skymoe.train.planning.reading import Changes, read_stages
from skymoe.train.planning.stage import Asked, parameters
from skymoe.train.planning.units import (
    GIB,
    parse_rate,
    parse_size,
    show_count,
    show_flop,
    show_gib,
    show_time,
)

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
LLAVA = {
    "model_type": "llava", "vision_config": CLIP_LARGE,
    "text_config": {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
                    "num_attention_heads": 4, "vocab_size": 100},
}  # fmt: skip


@pytest.mark.parametrize("name", known_names())
def test_every_known_name_can_be_planned(name: str) -> None:
    for stage in read_stages(name):
        assert parameters(stage).trained > 0
        assert name.startswith(stage.architecture.name)


def test_a_configuration_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAVA))
    (dense,) = read_stages(str(tmp_path))
    assert (dense.name, dense.architecture.experts, dense.lora is not None) == ("stage1", 0, True)
    (sparse,) = read_stages(str(tmp_path / "config.json"), changes=Changes(experts=4))
    assert (sparse.name, sparse.architecture.experts, sparse.architecture.expert_layers) == (
        "stage2",
        4,
        (0, 2),
    )
    assert parameters(sparse).trained == parameters(sparse).experts + parameters(sparse).routers


def test_experts_are_changed_where_there_are_any() -> None:
    one, two = read_stages("skymoe-7b", changes=Changes(experts=4))
    assert (one.architecture.experts, two.architecture.experts) == (0, 4)
    assert read_stages("skymoe-7b-stage2", changes=Changes(experts=0))[0].architecture.expert_layers == ()


def test_changes_reach_the_stage() -> None:
    changes = Changes(
        stage="stage2",
        batch_size=32,
        samples=1000,
        epochs=2.5,
        text_tokens=20,
        answer_tokens=40,
        train=("all",),
    )
    (stage,) = read_stages("skymoe-1b", changes=changes)
    assert (stage.batch_size, stage.samples, stage.epochs, stage.text_tokens) == (32, 1000, 2.5, 20)
    assert stage.answer_tokens == 20  # no more than there are
    assert parameters(stage).trained == parameters(stage).total
    (stage,) = read_stages("skymoe-1b", changes=Changes(stage="stage2", lora=8, lora_targets=("o_proj",)))
    assert parameters(stage).trained == 22 * 8 * (2048 + 2048)


def test_grouped_queries_and_biases() -> None:
    text = {**LLAVA["text_config"], "model_type": "qwen2", "num_key_value_heads": 2}
    model = architecture({**LLAVA, "text_config": text}, "q")
    assert (model.decoder.kv_heads, model.decoder.head_dim) == (2, 16)
    assert model.decoder.biases == ("q_proj", "k_proj", "v_proj")


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        ("skymoe-7b-stage3", {}, "did you mean 'skymoe-7b-stage2'"),
        ("nowhere", {}, "give a recipe"),
        ("skymoe-7b", {"stage": "stage9"}, "there are stage1, stage2"),
        ("skymoe-7b", {"precision": "fp8"}, "must be one of fp32"),
        ("skymoe-7b", {"steps": 3, "samples": 9}, "--steps says how long"),
        ("skymoe-7b-stage2", {"experts": 1}, "--experts 1"),
        ("skymoe-7b-stage2", {"experts": 4, "top_k": 5}, "top_k=5"),
        ("absent.yaml", {}, "no recipe at"),
    ],
)
def test_mistakes_are_named_in_one_line(target: str, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_stages(target, changes=Changes(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no model configuration"),
        ('{"model_type": "bert"}', "'bert' model"),
    ],
)
def test_configurations_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_architecture(tmp_path)


def test_a_folder_without_configuration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        read_architecture(tmp_path)


def test_nothing_trains() -> None:
    (stage,) = read_stages("skymoe-7b-stage2", changes=Changes(train=("nowhere",)))
    with pytest.raises(UserError, match="names no weight"):
        parameters(stage)


def test_sizes_and_rates() -> None:
    assert parse_size("80G", "-") == parse_size("80GiB", "-") == parse_size("81920M", "-") == 80 * GIB
    assert parse_rate("400T", "-") == parse_rate("400TFLOP/s", "-") == parse_rate("0.4P", "-") == 4e14
    for wrong in ("80X", "", "G", "-3G", "0"):
        with pytest.raises(UserError, match="--memory"):
            parse_size(wrong, "--memory")
        with pytest.raises(UserError, match="--flops"):
            parse_rate(wrong, "--flops")


def test_numbers_for_people() -> None:
    assert show_gib(44.5 * GIB) == "44.5 GiB"
    assert show_gib(268 * GIB) == "268 GiB"
    assert show_gib(2**20) == "1.0 MiB"
    assert (show_count(22.214e9), show_count(33_554_432), show_count(999)) == ("22.214 B", "33.554 M", "999")
    assert show_flop(24.83e12) == "24.8 TFLOP"
    spans = {2.5: "2.5 s", 59: "59 s", 61: "1 min", 3600 * 4.4: "4 h 24 min", 86400 * 1.2: "1 d 5 h"}
    assert {span: show_time(span) for span in spans} == spans


def test_the_shipped_recipes_of_the_large_model() -> None:
    """Stage II is planned before stage I has run: the recipe beside it says what it will start from."""
    one, two, adapted = (
        read_stages(str(RECIPES / f"skymoe-7b-{name}.yaml"))[0]
        for name in ("stage1", "stage2", "lora-experts")
    )
    assert parameters(one).trained == 33_554_432
    assert one.architecture.tower.image_size == 504
    assert (one.asked, one.precision.name) == (Asked("ddp", 6, True), "bf16")
    assert two.architecture.experts == 8
    assert round(parameters(two).trained / 1e9, 3) == 17.315
    assert two.asked is not None
    assert two.asked.strategy == "fsdp"
    counted = parameters(adapted)
    assert counted.adapters == 16 * 8 * 16 * (4096 + 2 * 11008 + 11008 + 4096)
    assert counted.trained == counted.adapters + counted.routers


def test_a_base_that_nobody_makes(tmp_path: Path) -> None:
    text = (RECIPES / "skymoe-7b-stage2.yaml").read_text(encoding="utf-8")
    (tmp_path / "alone.yaml").write_text(text)
    with pytest.raises(UserError, match="is not here, and no recipe beside"):
        read_stages(str(tmp_path / "alone.yaml"))
