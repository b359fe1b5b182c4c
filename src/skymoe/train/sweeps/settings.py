"""From a sweep file to the recipe of each of its runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skymoe.errors import UserError
from skymoe.recipe_files import read_recipe, validated
from skymoe.train.recipe import Recipe, load_recipe

from .schema import Cell, Sweep

OWN = ("name", "seed", "output")
# What both kinds of stages say; the rest of an expert stage has no meaning without experts.
EXPERTS_ONLY = ("experts", "top_k", "implementation", "interval", "offset", "balance", "lora")
EXAMPLE = "recipes/ablations-nano.yaml"


@dataclass(frozen=True)
class Run:
    """One training: a cell with one seed, in its own folder. `recipe` is as it is written, before `lowered`."""

    cell: Cell
    seed: int
    folder: Path
    recipe: dict[str, Any]

    @property
    def text(self) -> str:
        return f"{self.cell.text}, seed {self.seed}"


def is_sweep(path: str | Path) -> bool:
    """Whether a file is a sweep and no recipe: it names a recipe or has axes."""
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False  # reading it as a recipe says what is wrong
    return isinstance(raw, dict) and bool({"axes", "recipe"} & raw.keys())


def load_sweep(path: str | Path, overrides: list[str] | None = None) -> Sweep:
    """Read a sweep and check the recipe of every cell; recipes are found beside the file.

    Raises:
        UserError: in one line, for anything that would stop one of its runs and can be known now.
    """
    sweep = read_recipe(path, Sweep, EXAMPLE, overrides)
    beside = Path(path).parent
    shared = sweep.shared.model_copy(update={"recipes": [beside / one for one in sweep.shared.recipes]})
    sweep = sweep.model_copy(update={"recipe": beside / sweep.recipe, "shared": shared})
    for first in sweep.shared.recipes:
        load_recipe(first)
    raw = common(sweep)
    shared_recipe(sweep)
    for axis in sweep.axes:
        for label in axis.values:
            for key, _ in flat(axis.settings(label)):
                _may_vary(sweep, raw, axis.name, key)
    for run in runs(sweep):
        checked(run.recipe, None, f"{path}, {run.cell.text}")
    return sweep


def runs(sweep: Sweep) -> list[Run]:
    """All trainings: every cell with the first seed, then with the next, so that a stopped sweep has a whole table."""
    raw = common(sweep)
    found = []
    for seed in sweep.seeds:
        for cell in sweep.cells:
            folder = sweep.output / "cells" / cell.name / f"seed-{seed}"
            recipe = copy.deepcopy(raw)
            for axis, (_, label) in zip(sweep.axes, cell.labels, strict=True):
                _apply(recipe, axis.settings(label))
            recipe |= {"name": f"{sweep.name}/{cell.name}/seed-{seed}", "seed": seed, "output": str(folder)}
            found.append(Run(cell, seed, folder, recipe))
    return found


def common(sweep: Sweep) -> dict[str, Any]:
    """What all cells have in common: the recipe as it is written, with the sweep's `set`."""
    load_recipe(sweep.recipe)
    raw = yaml.safe_load(sweep.recipe.read_text(encoding="utf-8"))
    _apply(raw, sweep.settings)
    return raw


def shared_output(sweep: Sweep) -> Path:
    return sweep.shared.output or sweep.output / "shared"


def shared_recipe(sweep: Sweep) -> Recipe | None:
    """The training of the stages that all cells share, None where there are none.

    Raises:
        UserError: they are not the recipe's first ones, or all of them.
    """
    if not sweep.shared.stages:
        return None
    raw = common(sweep)
    names = [stage["name"] for stage in raw["stages"]]
    number = len(sweep.shared.stages)
    if names[:number] != sweep.shared.stages or number == len(names):
        raise UserError(
            f"shared.stages: {', '.join(sweep.shared.stages)} must be the first of the recipe's stages "
            f"({', '.join(names)}), and leave one to train in each cell"
        )
    raw |= {"stages": raw["stages"][:number], "output": str(shared_output(sweep))}
    return validated(raw, Recipe, f"{sweep.recipe} (shared stages)")


def checked(raw: dict[str, Any], layers: int | None, called: str) -> Recipe:
    """The recipe of a run, one expert being none; see `lowered` for `layers`."""
    return validated(lowered(raw, layers), Recipe, called)


def lowered(raw: dict[str, Any], layers: int | None) -> dict[str, Any]:
    """The recipe with every stage of one expert as what it is: a dense stage of the same length.

    Of the dense model those blocks learn that would have become experts, so that everything else is equal. `layers` is
    how many its decoder has; None, where that is not known yet, means all of its feed-forward blocks.

    Raises:
        UserError: such a stage trains its experts through adapters, which a dense model has not.
    """
    stages = []
    for stage in raw["stages"]:
        if stage.get("kind") != "experts" or stage.get("experts") != 1:
            stages.append(stage)
            continue
        if stage.get("lora") is not None:
            raise UserError(
                f"stage {stage.get('name')!r}: experts 1 is the dense model, which has no adapters on experts: "
                "leave the 1 out, or take a recipe whose experts learn whole"
            )
        dense = {key: value for key, value in stage.items() if key not in EXPERTS_ONLY}
        train = stage.get("train", [".mlp.experts.", ".mlp.router."])
        stages.append({**dense, "kind": "dense", "train": _dense_names(train, stage, layers)})
    return {**raw, "stages": stages}


def _dense_names(train: list[str], stage: dict[str, Any], layers: int | None) -> list[str]:
    names: list[str] = []
    for part in train:
        if ".mlp.experts" in part:
            places = range(stage.get("offset", 0), layers or 0, stage.get("interval", 2))
            names += [f"language_model.layers.{place}.mlp." for place in places] or [".mlp."]
        elif "router" not in part:
            names.append(part)
    return names


def flat(settings: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values; mappings are taken apart, so that they are merged into what is there."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _apply(raw: dict[str, Any], settings: dict[str, Any]) -> None:
    for key, value in flat(settings):
        *parents, last = key.split(".")
        node: Any = raw
        for part in parents:
            place = _place(node, part, key)
            if isinstance(node, dict) and node.get(place) is None:
                node[place] = {}
            node = node[place]
        node[_place(node, last, key)] = copy.deepcopy(value)


def _place(node: Any, part: str, key: str) -> Any:
    """A key of a mapping, or the place in a list, whose entries may be called by their names."""
    if isinstance(node, dict):
        return part
    if not isinstance(node, list):
        raise UserError(f"setting {key!r}: the recipe has nothing at {part!r}")
    names = [one.get("as", one.get("name")) if isinstance(one, dict) else None for one in node]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(node):
        return int(part)
    raise UserError(
        f"setting {key!r}: nothing is called {part!r}; there are {', '.join(str(name) for name in names)}"
    )


def _may_vary(sweep: Sweep, raw: dict[str, Any], axis: str, key: str) -> None:
    """What is trained once for all cells, and what the sweep itself gives, cannot be varied."""
    first, *rest = key.split(".")
    if first in OWN:
        raise UserError(f"axis {axis!r} sets {key!r}, which the sweep gives itself: leave it out")
    number = len(sweep.shared.stages)
    if not number:
        return
    if first in ("model", "base"):
        raise UserError(
            f"axis {axis!r} sets {key!r}, but what all cells start from is trained once: leave shared.stages out"
        )
    if first == "stages" and (not rest or _place(raw["stages"], rest[0], key) < number):
        raise UserError(
            f"axis {axis!r} sets {key!r} of a stage that is trained once for all cells: take it out of shared.stages"
        )
