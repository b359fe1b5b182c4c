"""Recipes: the shipped one is valid, mistakes are named in one line."""

from pathlib import Path
from typing import Any

import pytest

from skymoe.errors import UserError
from skymoe.recipe_files import validated
from skymoe.train.recipe import Recipe, load_recipe

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"


def test_the_shipped_recipe_is_valid_and_ends_with_experts() -> None:
    recipe = load_recipe(NANO)
    assert [stage.kind for stage in recipe.stages] == ["tower", "dense", "dense", "experts"]
    assert recipe.stages[-1].experts == 8
    assert recipe.stages[-1].top_k == 2


def test_overrides_reach_lists_and_mappings() -> None:
    recipe = load_recipe(NANO, ["stages.0.steps=7", "data.questions.caption=1", "seed=5"])
    assert (recipe.stages[0].steps, recipe.data.questions["caption"], recipe.seed) == (7, 1, 5)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.0.stepz=7", "did you mean 'steps'"),
        ("seed=many", "seed"),
        ("stages.9.steps=7", "nothing at"),
        ("seed", "name.name=value"),
        ("stages.0.steps=0", "greater than 0"),
    ],
)
def test_mistakes_are_named_in_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(NANO, [override])
    assert "\n" not in str(caught.value)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recipe at"):
        load_recipe(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    with pytest.raises(UserError, match="not valid YAML"):
        load_recipe(broken)


STAGE1 = NANO.with_name("skymoe-7b-stage1.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.0.lora.rnak=4", "did you mean 'rank'"),
        ("base.imgae_size=504", "did you mean 'image_size'"),
        ("basis={model: nano}", "did you mean 'base'"),
        ("stages.0.lora.targets=[q_projj]", "'q_projj' is no module of the decoder"),
        ("stages.0.lora.targets=[experts.down_proj]", "write dropout: 0"),
        ("stages.0.steps=5", "either steps or epochs"),
        ("stages.0.micro_batch=7", "batch_size=144 must be a multiple of micro_batch=7"),
        ("base.template=vicunna", "there are own, vicuna, chatml"),
        ("parallel=fdsp", "'ddp', 'fsdp' or 'experts'"),
        ("data.questions={capton: 1}", "did you mean 'caption'"),
        ("stages.0.questions={caption: 1}", "say them in the corpus recipe"),
        ("data.sources=[{name: rsicd}]", "either sources or a corpus"),
        ("model={vision_weights: x, vocabulary: 512, text: {}}", "either model"),
        ("stages.0.kind=lorra", "lora"),
    ],
)
def test_mistakes_with_a_base_are_named_in_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(STAGE1, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.0.micro_batch=4", "a tower learns whole batches"),
        ("stages.1.micro_batch=4", "the pointing loss is a mean over the batch"),
        ("stages.1.name=tower", "two are called 'tower'"),
        ("stages.3.lora={rank: 4, dropout: 0}", "the experts' own weights stay"),
        ("stages.3.top_k=9", r"stages\.3\.top_k: top_k=9 of experts=8: give 1 to 8"),
        ("stages.3.interval=0", r"stages\.3\.interval: .*greater than or equal to 1 \(got 0\)"),
        ("stages.3.offset=7", r"stages\.3\.offset: 7, but the decoder has 6 layers: give 0 to 5"),
        ("stages.3.kind=expert", r"stages\.3\.kind: 'expert'; there are tower, dense, lora, experts"),
        ("stages.0.stepz=1", r"unknown key 'stages\.0\.stepz'; did you mean 'steps'"),
        ("parallel=fsdp", "needs ddp"),
        ("data.questions={}", "say how many of each task"),
        ("data.sources.1.name=rsicd", "'rsicd' stands twice"),
    ],
)
def test_what_can_not_be_is_said_before_hours_are_spent(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(NANO, [override])
    assert "\n" not in str(caught.value)


STAGE = {"name": "s", "steps": 1, "batch_size": 1, "learning_rate": 1e-3}
MODEL = {"vision_weights": "none", "vocabulary": 512, "text": {"hidden_size": 96, "num_hidden_layers": 2}}


def made(*stages: dict[str, Any]) -> Recipe:
    data = {"sources": [{"name": "rsicd"}], "questions": {"caption": 1}}
    raw = {"name": "r", "output": "r", "data": data, "model": MODEL}
    named = [{**STAGE, "name": f"s{place}", **stage} for place, stage in enumerate(stages)]
    return validated({**raw, "stages": named}, Recipe, "r")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"kind": "tower"}, {"kind": "experts"}], r"stages\.1\.kind: .*put a stage of kind 'dense' before it"),
        (
            [{"kind": "dense"}, {"kind": "specialists", "router_heads": 5}],
            r"stages\.1\.router_heads: 5 must divide .* 96",
        ),
        (
            [{"kind": "dense"}, {"kind": "encoder", "resampler": {"heads": 7}}],
            r"stages\.1\.resampler\.heads: 7 must divide 96",
        ),
        (
            [{"kind": "dense"}, {"kind": "encoder", "resampler": {"width": 100, "heads": 7}}],
            r"stages\.1\.resampler: heads=7 must divide width=100",
        ),
    ],
)  # fmt: skip
def test_what_the_decoder_does_not_allow_is_told_by_its_key(
    stages: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        made(*stages)
    assert "\n" not in str(caught.value)


def test_all_linear_layers_are_one_word() -> None:
    lora = load_recipe(STAGE1, ["stages.0.lora.targets=linear"]).stages[0].lora
    assert lora.names == ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
