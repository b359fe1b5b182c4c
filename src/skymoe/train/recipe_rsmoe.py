"""What the stages of an RS-MoE's recipe say: the encoder with one decoder, and the specialists cloned from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from skymoe.data.findings import EXPERTS
from skymoe.recipe_files import Section

from .recipe_stages import LINEAR, Share, Stage

HEAD_WIDTH = 64
Weight = Annotated[float, Field(ge=0)]
# What stage II teaches, by parts of weights' names: the router with its soft prompts, and the adapters in the decoder.
SPECIAL = ("model.router.", ".lora_a", ".lora_b")


class Resampler(Section):
    """The Q-Former between tower and decoder: `queries` visual tokens, `layers` of `width` (default: the decoder's).

    With `feature_width` it reads the tower's tokens through one linear layer of that width, which learns with it: a
    small Q-Former on wide tokens spends most of its weights and time on reading them.
    A base that brings its own Q-Former (InstructBLIP) goes on with it, whatever is said here.
    """

    queries: int = Field(default=32, gt=0)
    layers: int = Field(default=3, gt=0)
    width: int | None = Field(default=None, gt=0)
    heads: int | None = Field(default=None, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    feature_width: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _whole_heads(self) -> Resampler:
        if self.width is not None and self.width % self.head_count(self.width):
            raise ValueError(f"heads={self.head_count(self.width)} must divide width={self.width}")
        return self

    def head_count(self, width: int) -> int:
        """Attention heads of a Q-Former so wide."""
        return self.heads or max(1, width // HEAD_WIDTH)


class RsMoeStage(Stage):
    """What both stages of an RS-MoE say. `questions` are rows: each has one instruction and all its answers, so that a
    picture's captions are one row. `decoder_learning_rate`: of the decoder's own weights, where they learn; the tower
    never does."""

    decoder_learning_rate: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _not_compiled(self) -> RsMoeStage:
        if self.compile:
            raise ValueError(f"stage {self.name!r}: an RS-MoE was never tried compiled; leave compile out")
        return self


class EncoderStage(RsMoeStage):
    """Stage I: Q-Former, projection and one decoder learn, the tower is frozen.

    `sub_tasks` of the three sub-tasks are asked of each picture as plain instructions, so that the specialists, which
    begin as clones, know them. `feature_width`: at the end the Q-Former's reading of a wide tower is narrowed to it
    (`models/rsmoe/narrowing.py`), which costs little and saves most of a small Q-Former's weights.
    """

    kind: Literal["encoder"]
    resampler: Resampler = Resampler()
    sub_tasks: int = Field(default=1, ge=0, le=len(EXPERTS))
    feature_width: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _narrowed_once(self) -> EncoderStage:
        if self.feature_width is not None and self.resampler.feature_width is not None:
            raise ValueError(
                f"stage {self.name!r}: feature_width narrows at the end what resampler.feature_width has narrow from "
                "the start; give one of them"
            )
        return self


class SpecialistStage(RsMoeStage):
    """Stage II: the decoder of stage I becomes experts with adapters; router, soft prompts and adapters learn.

    `router: none` leaves the Instruction Router out (ablation). With `resampler` the stage begins with a base that no
    stage I has taught, and `everything` lets all but the tower learn at once (ablation: one-stage training).

    The answer is learnt from findings as they are derived, with noise: each is emptied with the probability `emptied`,
    else each of its items is left out with the probability `dropped`; in `generated` of the steps they are the
    experts' own. `words` is how many different words the router may tell an expert.
    """

    kind: Literal["specialists"]
    experts: list[Literal["theme", "objects", "relations"]] = list(EXPERTS)  # type: ignore[arg-type]
    router: Literal["instruction", "none"] = "instruction"
    router_layers: int = Field(default=1, gt=0)
    router_heads: int = Field(default=8, gt=0)
    prompt_length: int = Field(default=4, ge=0)
    words: int = Field(default=48, gt=0)
    words_told: int = Field(default=4, ge=0)
    finding_length: int = Field(default=12, gt=1)
    lora_rank: int = Field(default=16, gt=0)
    lora_alpha: float = Field(default=32.0, gt=0)
    lora_targets: list[Literal[LINEAR]] = ["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]  # type: ignore[valid-type]
    sub_task_weight: Weight = 1.0
    word_weight: Weight = 1.0
    emptied: Share = 0.25
    dropped: Share = 0.25
    generated: Share = 0.25
    resampler: Resampler | None = None
    everything: bool = False

    @model_validator(mode="after")
    def _experts(self) -> SpecialistStage:
        if not self.experts or len(set(self.experts)) < len(self.experts):
            raise ValueError(f"stage {self.name!r}: experts names each of {', '.join(EXPERTS)} at most once")
        if self.resampler is not None and not self.everything:
            raise ValueError(
                f"stage {self.name!r}: a new resampler must learn, or the experts see nothing: write everything: true, "
                "or put a stage of kind 'encoder' before it"
            )
        return self


RSMOE_STAGES = (EncoderStage, SpecialistStage)
