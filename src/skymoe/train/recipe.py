"""The schema of a training recipe (YAML)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from skymoe.recipe_files import Section, read_recipe


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


Share = Annotated[float, Field(ge=0, le=1)]


class Edits(Section):
    """Shares of the pictures whose objects are masked, moved or recoloured before they are seen (`skymoe augment`).

    `fill` is what a masked object leaves: zero (the paper), mean or inpaint.
    """

    cutout: Share = 0.0
    relocate: Share = 0.0
    recolour: Share = 0.0
    fill: Literal["zero", "mean", "inpaint"] = "zero"

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """Kind of edit and its share, in the order in which they are tried."""
        return ("cutout", self.cutout), ("relocate", self.relocate), ("recolour", self.recolour)


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

    `weights` (by source; 0 leaves it out) and `questions` (by task) replace those of `data` in this stage. `edits`
    changes pictures before they are seen.
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
    edits: Edits = Edits()


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
    """Read a training recipe; see `skymoe.recipe_files.read_recipe` for overrides and errors."""
    return read_recipe(path, Recipe, "recipes/nano.yaml", overrides)
