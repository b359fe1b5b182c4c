"""The schema of a training recipe (YAML). Unknown keys are errors: a typing mistake can't silently change a run."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skymoe.errors import UserError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceMix(Section):
    """One source of the mixture; `weight` is its share of the pictures relative to the others'."""

    name: str
    split: str = "train"
    weight: float = Field(gt=0)


class Views(Section):
    """Random views of a training picture: only changes that keep caption, phrase and box true (`data/views.py`)."""

    dihedral: bool = True
    crop: tuple[float, float] = (0.8, 1.0)
    brightness: float = Field(default=0.15, ge=0, lt=1)


class Data(Section):
    """What is trained on. `questions` caps how many questions of each task one view of a picture is asked."""

    sources: list[SourceMix]
    questions: dict[str, int]
    views: Views = Views()


class Model(Section):
    """`vision_weights` names an importable package with the tower's ImageNet weights; `text` are LlamaConfig fields."""

    vision_weights: str
    vocabulary: int = Field(ge=512)
    text: dict[str, Any]


class Stage(Section):
    """What every stage says: how long, how many pictures at a time, how fast.

    `weights` (by source; 0 leaves it out) and `questions` (by task) replace those of `data` in this stage.
    """

    name: str
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    save_every: int = Field(default=250, gt=0)
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    questions: dict[str, int] = {}


class TowerStage(Stage):
    """Before stage I: the ImageNet tower learns overhead pictures (scene, caption words, where the tanks are)."""

    kind: Literal["tower"]


class DenseStage(Stage):
    """Stage I: adaptor and dense decoder. `tower_learning_rate` 0 freezes the tower, as the paper does.

    After a tower it starts from nothing, after another dense stage it goes on with that model. `coordinate_sigma` and
    `pointing` (a weight) add the losses of `coordinates.py` and `pointing.py`; 0 leaves them out.
    """

    kind: Literal["dense"]
    tower_learning_rate: float = Field(default=0.0, ge=0)
    coordinate_sigma: float = Field(default=0.0, ge=0)
    pointing: float = Field(default=0.0, ge=0)


class ExpertStage(Stage):
    """Stage II: the dense model is upcycled; of its parameters those whose name contains one of `train` learn on."""

    kind: Literal["experts"]
    experts: int = 8
    top_k: int = 2
    implementation: Literal["eager", "grouped_mm", "batched_mm"] = "grouped_mm"
    interval: int = 2
    offset: int = 0
    balance: float = 0.01
    coordinate_sigma: float = Field(default=0.0, ge=0)
    pointing: float = Field(default=0.0, ge=0)
    train: list[str] = [".mlp.experts.", ".mlp.router."]


AnyStage = TowerStage | DenseStage | ExpertStage


class Recipe(Section):
    """A whole training: data, model and the stages in order. Everything random in it follows from `seed`."""

    name: str
    seed: int = 0
    output: Path
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    workers: int = Field(default=1, ge=0)
    data: Data
    model: Model
    stages: list[Annotated[AnyStage, Field(discriminator="kind")]]


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe and apply `a.b=c` overrides (list items by number: `stages.0.steps=10`).

    Raises:
        UserError: for a missing file, broken YAML, an unknown key (with the nearest known one) or a wrong value.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"no recipe at {str(path)!r}; give the path of a YAML file such as recipes/nano.yaml")
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a recipe is a mapping of names to values")
    for override in overrides or []:
        _override(raw, override)
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from None


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override!r}: write it as name.name=value")
    *parents, last = key.split(".")
    node: Any = raw
    try:
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[int(last) if isinstance(node, list) else last] = yaml.safe_load(text)
    except (IndexError, ValueError, AttributeError, TypeError):
        raise UserError(f"--set {override!r}: the recipe has nothing at {key!r}") from None


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = sorted(
            {
                name
                for section in Section.__subclasses__() + Stage.__subclasses__()
                for name in section.model_fields
            }
        )
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{where}: {first['msg']} (got {first['input']!r})"
