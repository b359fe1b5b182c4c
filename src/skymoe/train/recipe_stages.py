"""What the stages of a training recipe say, one class for each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from skymoe.recipe_files import Section

Share = Annotated[float, Field(ge=0, le=1)]
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
EXPERT_TARGETS = ("experts.gate_up_proj", "experts.down_proj")


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


class Stage(Section):
    """What every stage says: how long, how many pictures at a time, how fast.

    `batch_size` is the pictures of one optimizer step on all processes together, `micro_batch` those one process takes
    at a time (default: its whole share); neither the number of processes nor `micro_batch` changes what is learnt, but
    for the balance loss, which is larger by experts × the covariance of F and G (Eq. 8) over the parts.
    The length is `steps`, or `epochs` over a corpus or over sources of fixed samples. `weights` (by source; 0 leaves
    it out) and `questions` (by task) replace those of `data` in this stage. `edits` changes pictures before they are
    seen. `betas` are AdamW's. `compile` has torch.compile make few kernels of many in each layer, which takes
    minutes at the start.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    steps: int | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int = Field(gt=0)
    micro_batch: int | None = Field(default=None, gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[Share, Share] = (0.9, 0.98)
    save_every: int = Field(default=250, gt=0)
    log_every: int = Field(default=20, gt=0)
    gradient_checkpointing: bool = False
    compile: bool = False
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    questions: dict[str, Annotated[int, Field(ge=0)]] = {}
    edits: Edits = Edits()

    @model_validator(mode="after")
    def _one_length(self) -> Stage:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(f"stage {self.name!r}: give either steps or epochs")
        if self.micro_batch is not None and self.batch_size % self.micro_batch:
            raise ValueError(
                f"stage {self.name!r}: batch_size={self.batch_size} must be a multiple of "
                f"micro_batch={self.micro_batch}"
            )
        return self


class TowerStage(Stage):
    """Before stage I: the ImageNet tower learns overhead pictures (scene, caption words, where the tanks are)."""

    kind: Literal["tower"]

    @model_validator(mode="after")
    def _undivided(self) -> TowerStage:
        if self.micro_batch is not None:
            raise ValueError(f"stage {self.name!r}: a tower learns whole batches; leave micro_batch out")
        if self.compile:
            raise ValueError(
                f"stage {self.name!r}: decoders are compiled, this tower is not; leave compile out"
            )
        return self


class ConversationStage(Stage):
    """A stage that learns to answer. `coordinate_sigma` and `pointing` (a weight) add the losses of `coordinates.py`
    and `pointing.py`, for vocabularies with one token per coordinate; 0 leaves them out."""

    coordinate_sigma: float = Field(default=0.0, ge=0)
    pointing: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _pointing_whole(self) -> ConversationStage:
        if self.pointing and self.micro_batch is not None:
            raise ValueError(
                f"stage {self.name!r}: the pointing loss is a mean over the batch; leave micro_batch out"
            )
        if self.pointing and self.compile:
            raise ValueError(
                f"stage {self.name!r}: the pointing loss watches attention inside a layer; leave compile out"
            )
        return self


class DenseStage(ConversationStage):
    """Stage I: adaptor and dense decoder. `tower_learning_rate` 0 freezes the tower, as the paper does.

    After a tower it starts from nothing, after another stage or from a base it goes on with that model. `train`: only
    parameters whose name contains one of these learn; empty: all.
    """

    kind: Literal["dense"]
    tower_learning_rate: float = Field(default=0.0, ge=0)
    train: list[str] = []


class Lora(Section):
    """Low-rank adapters (PEFT) on the decoder's modules whose names end so; "linear" stands for all linear layers.

    "experts.gate_up_proj" and "experts.down_proj" name the experts' stacked weights; those take no dropout.
    """

    rank: int = Field(default=64, gt=0)
    alpha: float = Field(default=16.0, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: Literal["linear"] | list[str] = ["q_proj", "v_proj"]

    @property
    def names(self) -> tuple[str, ...]:
        return LINEAR if self.targets == "linear" else tuple(self.targets)

    @model_validator(mode="after")
    def _possible(self) -> Lora:
        known = (*LINEAR, *EXPERT_TARGETS)
        if not self.names:
            raise ValueError("lora.targets: name at least one module, or linear")
        if wrong := [name for name in self.names if name not in known]:
            raise ValueError(
                f"lora.targets: {wrong[0]!r} is no module of the decoder; there are linear, {', '.join(known)}"
            )
        if self.dropout and any(name in EXPERT_TARGETS for name in self.names):
            raise ValueError("lora.dropout: adapters on stacked experts take none; write dropout: 0")
        return self


class LoraStage(ConversationStage):
    """Stage I of the paper: adapters on the decoder learn, all else is frozen but the parameters that `train` names.

    At the stage's end the adapters are merged: its result is an ordinary model, and what the next stage starts from.
    """

    kind: Literal["lora"]
    lora: Lora = Lora()
    train: list[str] = []


class ExpertStage(ConversationStage):
    """Stage II: the dense model is upcycled; of its parameters those whose name contains one of `train` learn on.

    A model that has experts already goes on with them. With `lora` adapters learn besides (and are merged at the end).
    """

    kind: Literal["experts"]
    experts: int = Field(default=8, ge=2)
    top_k: int = Field(default=2, ge=1)
    implementation: Literal["eager", "grouped_mm", "batched_mm"] = "grouped_mm"
    interval: int = Field(default=2, ge=1)
    offset: int = Field(default=0, ge=0)
    balance: float = Field(default=0.01, ge=0)
    train: list[str] = [".mlp.experts.", ".mlp.router."]
    lora: Lora | None = None

    @field_validator("top_k")
    @classmethod
    def _not_more_than_there_are(cls, top_k: int, so_far: ValidationInfo) -> int:
        experts = so_far.data.get("experts")
        if experts is not None and top_k > experts:
            raise ValueError(f"top_k={top_k} of experts={experts}: give 1 to {experts}")
        return top_k

    @model_validator(mode="after")
    def _adapted_or_trained(self) -> ExpertStage:
        if self.lora is not None and any(part in ".mlp.experts.gate_up_proj" for part in self.train):
            raise ValueError(
                f'stage {self.name!r}: with lora the experts\' own weights stay; write train: [".mlp.router."]'
            )
        return self


AnswerStage = DenseStage | LoraStage | ExpertStage
SkyMoeStage = TowerStage | AnswerStage
