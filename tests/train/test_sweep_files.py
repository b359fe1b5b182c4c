"""Sweep files: the shipped ones are valid and mean what they say, mistakes are named in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from skymoe.cli import app
from skymoe.errors import UserError
from skymoe.train.recipe import DenseStage, ExpertStage, load_recipe
from skymoe.train.sweeps.schema import Sweep
from skymoe.train.sweeps.settings import checked, is_sweep, load_sweep, lowered, runs

RECIPES = Path(__file__).parents[2] / "recipes"
NANO = RECIPES / "ablations-nano.yaml"
SHIPPED = sorted(RECIPES.glob("ablations*.yaml"), key=lambda path: path.stem)
GRIDS = [RECIPES / "ablations.yaml", NANO]
# Table 8 of the paper, row by row: experts, cutout, editing.
TABLE_8 = [
    ("1", "on", "on"), ("4", "on", "on"), ("6", "on", "on"), ("8", "on", "on"),
    ("8", "off", "off"), ("8", "off", "on"), ("8", "on", "off"), ("8", "on", "on"),
]  # fmt: skip


def test_the_shipped_sweeps() -> None:
    assert [path.stem for path in SHIPPED] == [
        "ablations", "ablations-nano", "ablations-rs-moe-nano", "ablations-rs-moe-nano-stages",
    ]  # fmt: skip
    assert all(is_sweep(path) for path in SHIPPED)
    assert not is_sweep(RECIPES / "nano.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_run_of_a_shipped_sweep_is_a_valid_recipe(path: Path) -> None:
    sweep = load_sweep(path)
    assert sweep.name == path.stem
    assert sweep.output == Path("runs") / path.stem
    for run in runs(sweep):
        recipe = checked(run.recipe, 32, run.text)
        assert (recipe.seed, recipe.output) == (run.seed, run.folder)


@pytest.mark.parametrize("path", GRIDS, ids=[path.stem for path in GRIDS])
def test_a_cell_of_the_grid_is_what_its_labels_say(path: Path) -> None:
    sweep = load_sweep(path)
    for run in runs(sweep):
        recipe = checked(run.recipe, 32, run.text)
        stage, labels = recipe.stages[-1], dict(run.cell.labels)
        assert (stage.edits.cutout > 0) == (labels["cutout"] == "on")
        assert (stage.edits.relocate > 0) == (labels["editing"] == "on")
        if labels["experts"] == "1":
            assert isinstance(stage, DenseStage)
        else:
            assert isinstance(stage, ExpertStage)
            assert stage.experts == int(labels["experts"])
        assert len({one.stages[-1].steps for one in (recipe, checked(runs(sweep)[0].recipe, 32, ""))}) == 1


def test_the_ablations_of_rs_moe() -> None:
    """With and without router nothing else differs; one stage sees as many pictures as two."""
    routers = [run.recipe for run in runs(load_sweep(RECIPES / "ablations-rs-moe-nano.yaml"))]
    assert [recipe["stages"][0].pop("router") for recipe in routers[:2]] == ["instruction", "none"]
    of_a_run = {"name": "", "output": ""}
    assert routers[0] | of_a_run == routers[1] | of_a_run
    two, one = (
        run.recipe["stages"] for run in runs(load_sweep(RECIPES / "ablations-rs-moe-nano-stages.yaml"))[:2]
    )
    assert [stage["kind"] for stage in two] == ["encoder", "specialists"]
    assert [stage["kind"] for stage in one] == ["specialists"]
    assert one[0]["everything"]
    assert one[0]["resampler"] == two[0]["resampler"]
    seen = [sum(stage["steps"] * stage["batch_size"] for stage in stages) for stages in (two, one)]
    assert seen[0] == seen[1]


def test_the_full_grid_and_the_paper_s_rows() -> None:
    full = load_sweep(RECIPES / "ablations.yaml")
    assert len(full.cells) == 4 * 2 * 2
    nano = load_sweep(NANO)
    rows = [tuple(label for _, label in cell.labels) for _, cells in nano.parts for cell in cells]
    assert sorted(rows) == sorted(TABLE_8)
    assert len(nano.cells) == 7, "the row that stands in both parts is run once"
    assert len(runs(nano)) == 7 * len(nano.seeds)


def test_one_expert_is_the_dense_model() -> None:
    """The blocks learn that become experts in the other cells, everything else of the stage is the same."""
    raw = next(run.recipe for run in runs(load_sweep(RECIPES / "ablations.yaml")) if "=1," in run.cell.name)
    before, after = raw["stages"][0], lowered(raw, 32)["stages"][0]
    assert after["kind"] == "dense"
    assert after["train"] == [f"language_model.layers.{place}.mlp." for place in range(0, 32, 2)]
    assert {key: after[key] for key in after if key not in ("kind", "train")} == {
        key: before[key] for key in before if key in after and key not in ("kind", "train")
    }
    nano = next(run.recipe for run in runs(load_sweep(NANO)) if "=1," in run.cell.name)
    assert lowered(nano, 6)["stages"][-1]["train"] == load_recipe(RECIPES / "nano.yaml").stages[-1].train


def test_one_expert_with_adapters_on_experts_is_refused(tmp_path: Path) -> None:
    text = (RECIPES / "ablations.yaml").read_text(encoding="utf-8")
    for name in ("skymoe-7b-stage1", "skymoe-7b-lora-experts"):
        (tmp_path / f"{name}.yaml").write_text((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "sweep.yaml"
    path.write_text(text.replace("recipe: skymoe-7b-stage2.yaml", "recipe: skymoe-7b-lora-experts.yaml"))
    with pytest.raises(UserError, match="has no adapters on experts"):
        load_sweep(path)


def written(tmp_path: Path, **changes: Any) -> Path:
    raw = yaml.safe_load(NANO.read_text(encoding="utf-8"))
    raw |= {"recipe": str(RECIPES / "nano.yaml"), **changes}
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def axis(**parts: Any) -> list[dict[str, Any]]:
    return [{"name": "a", **parts}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axis": []}, "unknown key 'axis'; did you mean 'axes'"),
        ({"rows": [{"cells": {"expert": 1}}]}, "did you mean 'experts'"),
        ({"rows": [{"cells": {"experts": 2}}]}, "no value of experts is called '2'; there are 1, 4, 6, 8"),
        ({"rows": [], "axes": axis(setting="stages.stage2.stepz", values=[1, 2])}, "did you mean 'steps'"),
        ({"rows": [], "axes": axis(setting="stages.stage3.steps", values=[1])}, "nothing is called 'stage3'"),
        ({"rows": [], "axes": axis(setting="stages.stage2.steps", values=[0])}, "greater than 0"),
        ({"rows": [], "axes": axis(setting="stages.stage1.steps", values=[1])}, "trained once for all cells"),
        ({"rows": [], "axes": axis(setting="model.vocabulary", values=[600])}, "trained once"),
        ({"rows": [], "axes": axis(setting="seed", values=[1])}, "which the sweep gives itself"),
        ({"rows": [], "axes": axis(values=[1])}, "name a setting"),
        ({"rows": [], "axes": axis(setting="workers", values={True: 1, "on": 2})}, "same label"),
        ({"rows": [], "axes": axis(setting="workers", values=[1]) * 2}, "'a' stands twice"),
        ({"seeds": [1, 1]}, "seeds: 1 stands twice"),
        ({"shared": {"stages": ["stage1"]}}, "must be the first of the recipe's stages"),
        ({"shared": {"stages": ["tower", "tiles", "stage1", "stage2"]}}, "leave one to train"),
        ({"shared": {"recipes": ["absent.yaml"]}}, "no recipe at"),
        ({"recipe": "absent.yaml"}, "no recipe at"),
        ({"judge": [{"benchmark": "airbus-grund"}]}, "did you mean airbus-ground"),
        ({"judge": [{"benchmark": "airbus-ground", "metric": "acc@0.6"}]}, "has no metric 'acc@0.6'"),
        ({"judge": [{"benchmark": "airbus-ground", "limit": 0}]}, "greater than 0"),
        ({"judge": [{"benchmark": "airbus-ground"}] * 2}, "stands twice"),
        ({"judge": []}, "at least 1"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_sweep(written(tmp_path, **changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_may_change_several_things_or_nothing(tmp_path: Path) -> None:
    both = {"stages.stage2.steps": 7, "data.questions": {"count": 3}}
    values = {False: {}, True: both}
    path = written(tmp_path, rows=[], set={}, axes=axis(values=values), seeds=[5])
    plain, changed = (checked(run.recipe, 6, "") for run in runs(load_sweep(path)))
    base = load_recipe(RECIPES / "nano.yaml")
    assert plain.stages == base.stages
    assert (changed.stages[-1].steps, changed.data.questions) == (7, {**base.data.questions, "count": 3})


def test_overrides(tmp_path: Path) -> None:
    sweep = load_sweep(NANO, ["seeds=[3]", "set.stages.stage2.steps=5", f"output={tmp_path}"])
    assert isinstance(sweep, Sweep)
    assert {run.recipe["stages"][-1]["steps"] for run in runs(sweep)} == {5}
    assert {run.seed for run in runs(sweep)} == {3}


def test_a_list_of_what_would_be_run(tmp_path: Path) -> None:
    options = ["--set", f"output={tmp_path / 'sweep'}", "--set", f"shared.output={tmp_path / 'nano'}"]
    outcome = CliRunner().invoke(app, ["train", str(NANO), "--dry-run", *options])
    assert outcome.exit_code == 0, outcome.output
    lines = outcome.output.splitlines()
    assert lines[0].split() == [
        "to",
        "do",
        "nano.yaml:",
        "tower,",
        "tiles,",
        "stage1",
        "in",
        *lines[0].split()[7:],
    ]
    assert lines[1] == "to do     experts 1, cutout on, editing on, seed 17"
    assert len(lines) == 1 + 14 + 1
    assert not (tmp_path / "sweep").exists()
