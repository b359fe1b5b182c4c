"""The schema of a training recipe (YAML). What its stages say stands in `recipe_stages.py`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from skymoe.recipe_files import Section, read_recipe
from skymoe.tasks import TASKS

from .recipe_limits import check_limits, check_order
from .recipe_rsmoe import RSMOE_STAGES, EncoderStage, Resampler, SpecialistStage
from .recipe_stages import (
    AnswerStage,
    ConversationStage,
    DenseStage,
    Edits,
    ExpertStage,
    Lora,
    LoraStage,
    Share,
    SkyMoeStage,
    Stage,
    TowerStage,
)
from .templates import TEMPLATES

LLAMA_LAYERS, LLAMA_WIDTH = 32, 4096  # LlamaConfig's own, where `model.text` does not say how many
AnyStage = SkyMoeStage | EncoderStage | SpecialistStage


class SourceMix(Section):
    """One source of the mixture; `weight` is its share of the pictures relative to the others'.

    `options` go to the reader (users' formats: `annotations: …, images: …`); `as` is the name under which `weights` of
    a stage find it, needed where one reader is used twice.
    """

    name: str
    split: str = "train"
    weight: float = Field(default=1.0, gt=0)
    root: Path | None = None
    options: dict[str, Any] = {}
    label: str | None = Field(default=None, alias="as", pattern=r"^[\w.-]+$")

    @property
    def called(self) -> str:
        return self.label or self.name


class Views(Section):
    """Random views of a training picture: only changes that keep caption, phrase and box true (`data/views.py`)."""

    dihedral: bool = True
    crop: tuple[float, float] = (0.8, 1.0)
    brightness: float = Field(default=0.15, ge=0, lt=1)


class Data(Section):
    """What is trained on: `sources`, asked in words of our own, or a `corpus` whose questions are worded already.

    `questions` caps how many questions of each task one view of a picture is asked; a corpus (the folder that `skymoe
    data build` writes) brings its own, and its pictures are seen as they are.
    """

    sources: list[SourceMix] = []
    corpus: Path | None = None
    questions: dict[str, Annotated[int, Field(ge=0)]] = {}
    views: Views = Views()

    @field_validator("questions")
    @classmethod
    def _known(cls, questions: dict[str, int]) -> dict[str, int]:
        return known_tasks(questions)

    @model_validator(mode="after")
    def _one_kind(self) -> Data:
        if bool(self.sources) == (self.corpus is not None):
            raise ValueError("data: give either sources or a corpus")
        if self.sources and not any(self.questions.values()):
            raise ValueError(
                "data.questions: say how many of each task a picture is asked, such as {caption: 1, count: 1}"
            )
        names = [source.called for source in self.sources]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"data.sources: {twice[0]!r} stands twice; give one of them a name with as:")
        return self


class Model(Section):
    """A new small model. `vision_weights` names an importable package with the tower's ImageNet weights; `text` are
    LlamaConfig fields."""

    vision_weights: str
    vocabulary: int = Field(ge=512)
    text: dict[str, Any]


class Base(Section):
    """The checkpoint that the first stage starts from: `model` is a folder or a hub id, of LLaVA's kind or a SkyMoE.

    `image_size` enlarges its pictures (the paper: 504). `template` is how conversations are written for it, in training
    and from then on: the checkpoint's own, or one of `train/templates.py`. An RS-MoE may take its tower (and Q-Former,
    where `model` is an InstructBLIP) from one checkpoint and its language model from another, `decoder`.
    """

    model: str
    decoder: str | None = None
    image_size: int | None = Field(default=None, gt=0)
    template: str = "own"

    @field_validator("template")
    @classmethod
    def _known(cls, name: str) -> str:
        if name != "own" and name not in TEMPLATES:
            raise ValueError(f"no template is called {name!r}; there are own, {', '.join(TEMPLATES)}")
        return name


class Recipe(Section):
    """A whole training: data, where the model comes from (`model`, a new small one, or `base`), the stages in order.

    Everything random in it follows from `seed`. `parallel` says what several processes share: "ddp" the pictures,
    "fsdp" the weights too (FSDP2), "experts" the weights, and each expert lives on one process (or a few). `report_to`:
    trackers, such as tensorboard, where they are installed.
    """

    name: str
    seed: int = 0
    output: Path
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    parallel: Literal["ddp", "fsdp", "experts"] = "ddp"
    workers: int = Field(default=1, ge=0)
    report_to: list[str] = []
    data: Data
    model: Model | None = None
    base: Base | None = None
    stages: list[Annotated[AnyStage, Field(discriminator="kind")]] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if (self.model is None) == (self.base is None):
            raise ValueError("give either model (a new small one) or base (a checkpoint to start from)")
        if self.parallel != "ddp" and self.base is None:
            raise ValueError(
                f"parallel: {self.parallel} shares out the weights of a base; a new small model needs ddp"
            )
        self._rsmoe_fits()
        if self.model is not None:
            text = self.model.text
            check_limits(
                self.stages, text.get("num_hidden_layers", LLAMA_LAYERS), text.get("hidden_size", LLAMA_WIDTH)
            )
            check_order(self.stages)
        names = [stage.name for stage in self.stages]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"stages: two are called {twice[0]!r}; each needs a folder of its own")
        for stage in self.stages:
            known_tasks(stage.questions)
            if self.parallel != "ddp" and isinstance(stage, ExpertStage) and stage.lora is not None:
                raise ValueError(
                    f"stage {stage.name!r}: adapters on experts are not shared out; write parallel: ddp"
                )
            if self.parallel != "ddp" and stage.compile:
                raise ValueError(
                    f"stage {stage.name!r}: sharded layers were never tried compiled; leave compile out"
                )
            if isinstance(stage, TowerStage) and self.base is not None:
                raise ValueError(f"stage {stage.name!r}: a base brings its tower; leave the stage out")
            edited = any(share for _, share in stage.edits.shares)
            if self.data.corpus is not None and (stage.weights or stage.questions or edited):
                raise ValueError(
                    f"stage {stage.name!r}: a corpus has its weights, questions and edits already; "
                    "say them in the corpus recipe"
                )
        return self

    def _rsmoe_fits(self) -> None:
        ours = [isinstance(stage, RSMOE_STAGES) for stage in self.stages]
        if self.base is not None and self.base.decoder is not None and not ours[0]:
            raise ValueError(
                "base.decoder is for an RS-MoE: its first stage is of kind encoder or specialists"
            )
        if not any(ours):
            return
        first = ours.index(True)
        if not all(ours[first:]):
            late = self.stages[first + ours[first:].index(False)]
            raise ValueError(
                f"stage {late.name!r}: after an RS-MoE's stages come encoder and specialists alone"
            )
        if self.parallel != "ddp":
            raise ValueError(f"parallel: {self.parallel} does not share out an RS-MoE; write parallel: ddp")
        if self.data.corpus is not None:
            raise ValueError(
                "data.corpus: an RS-MoE learns from sources, whose captions tell what its experts find"
            )
        for stage in self.stages[first:]:
            if any((stage.edits.cutout, stage.edits.relocate, stage.edits.recolour)):
                raise ValueError(
                    f"stage {stage.name!r}: edits are for regions, which an RS-MoE does not learn from"
                )


def known_tasks(questions: dict[str, int]) -> dict[str, int]:
    """The same numbers; ValueError for a task there is none of."""
    for name in questions:
        if name not in TASKS:
            near = difflib.get_close_matches(name, TASKS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TASKS)}"
            raise ValueError(f"unknown task {name!r}; {hint}")
    return questions


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a training recipe; see `skymoe.recipe_files.read_recipe` for overrides and errors."""
    return read_recipe(path, Recipe, "recipes/nano.yaml", overrides)


__all__ = [
    "RSMOE_STAGES", "AnswerStage", "AnyStage", "Base", "ConversationStage", "Data", "DenseStage", "Edits",
    "EncoderStage", "ExpertStage", "Lora", "LoraStage", "Model", "Recipe", "Resampler", "Share", "SourceMix",
    "SpecialistStage", "Stage", "TowerStage", "Views", "load_recipe",
]  # fmt: skip
