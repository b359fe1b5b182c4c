"""What a planned stage says: which model, what of it trains, on how many pictures, in which number formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from skymoe.errors import UserError

from .architecture import Architecture, Shapes
from .tensors import TOWER, activated, block_of, count, weights

if TYPE_CHECKING:
    from .schedule import Answering
    from .tape import Block, Dtypes


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters of `rank` on the weights whose module is named so ("q_proj", "experts.gate_up_proj")."""

    rank: int
    targets: tuple[str, ...]
    dropout: float = 0.05

    def adapts(self, module: str) -> bool:
        """Only the decoder's: towers name their projections alike."""
        return not module.startswith(TOWER) and module.endswith(
            tuple(f".{target}" for target in self.targets)
        )


@dataclass(frozen=True, slots=True)
class Precision:
    """Bytes a number takes at rest; the optimizer is AdamW, with two moments for each trained number. `compute`: where
    matrices are multiplied; `gathered`: where FSDP2 has put a layer's weights together to compute with them."""

    name: str
    trained: int
    frozen: int
    gradient: int
    moments: int
    compute: int
    gathered: int

    @property
    def per_trained(self) -> int:
        return self.trained + self.gradient + self.moments


PRECISIONS = {
    "fp32": Precision("fp32", 4, 4, 4, 8, 4, 4),
    # Float32 where it learns, bfloat16 where it is frozen or computes (FSDP2 with its mixed precision).
    "bf16": Precision("bf16", 4, 2, 4, 8, 2, 2),
    # Everything float32 at rest, gathered so as well, and autocast: a new small model, or FSDP2 without a policy.
    "bf16-autocast": Precision("bf16-autocast", 4, 4, 4, 8, 2, 4),
    # Everything bfloat16: half the memory, and steps too small for 8 bits of mantissa are lost.
    "pure-bf16": Precision("pure-bf16", 2, 2, 2, 4, 2, 2),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a recipe says that it is to be run; `micro` None is a GPU's whole share of the batch."""

    strategy: str
    micro: int | None
    checkpointing: bool


@dataclass(frozen=True, slots=True)
class StageSettings:
    """One stage. A weight trains if its name contains one of `trains` (None: any; with adapters none) and starts with
    none of `frozen`.

    `samples` and `epochs` give the steps where `steps` is None (`steps_of`).
    `text_tokens` are those beside the picture's; `answer_tokens` of them are learnt from. `padded`: rows of a batch
    differ in length, so that attention needs a mask.
    """

    name: str
    architecture: Architecture
    batch_size: int
    trains: tuple[str, ...] | None = None
    frozen: tuple[str, ...] = ()
    lora: Lora | None = None
    steps: int | None = None
    samples: int | None = None
    epochs: float = 1.0
    text_tokens: int = 64
    answer_tokens: int = 16
    padded: bool = True
    precision: Precision = PRECISIONS["bf16"]
    kernel: str = "grouped_mm"
    tower_only: bool = False
    asked: Asked | None = None
    about: str = ""
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of one sample in the decoder."""
        return 0 if self.tower_only else self.architecture.image_tokens + self.text_tokens

    def trained(self, name: str) -> bool:
        """Whether that weight of the model itself learns (adapters are counted apart)."""
        if self.frozen and name.startswith(self.frozen):
            return False
        if self.trains is None:
            return self.lora is None
        return any(part in name for part in self.trains)

    def adapted(self, module: str) -> int:
        """Rank of the adapter on that module, 0 for none."""
        return self.lora.rank if self.lora is not None and self.lora.adapts(module) else 0

    def model_weights(self) -> Shapes:
        """Weights that are loaded: the whole model, or its tower alone."""
        shapes = weights(self.architecture)
        if not self.tower_only:
            return shapes
        return {name: shape for name, shape in shapes.items() if name.startswith(TOWER)}

    def block_of(self, name: str) -> str:
        """The walk's block that a weight belongs to."""
        return block_of(name)

    @property
    def result(self) -> Architecture:
        """What the next stage begins with."""
        return self.architecture

    @property
    def single(self) -> StageSettings:
        """A stage with the same decoder layers, where these alone matter."""
        return self

    @property
    def runs(self) -> tuple[str, ...]:
        """Strategies that `skymoe train` runs it with; none: all that it has."""
        return ()

    @property
    def changeable(self) -> bool:
        """Whether other experts, adapters or weights may learn than it says."""
        return True

    def walk(self, dtypes: Dtypes) -> list[Block]:
        """Blocks in the order of the forward pass, with FLOP and bytes of one sample."""
        from .walk import walk

        return walk(self, dtypes)

    def answered(self) -> Answering | None:
        """Arithmetic of one question to the finished model; None for a tower alone."""
        from .schedule import answering

        return None if self.tower_only else answering(self.architecture)

    def counted(self, shapes: Shapes) -> Parameters:
        """Its parameters by kind."""
        adapters = sum(prod(shape) for shape in adapter_weights(self, shapes).values())

        def part(text: str) -> int:
            return sum(prod(shape) for name, shape in shapes.items() if text in name)

        tower, adaptor = part("vision_tower."), part("multi_modal_projector.")
        return Parameters(
            total=count(shapes) + adapters,
            activated=activated(self.architecture, shapes) + _activated_adapters(self, shapes),
            trained=adapters + sum(prod(shape) for name, shape in shapes.items() if self.trained(name)),
            adapters=adapters,
            experts=part(".mlp.experts."),
            routers=part(".mlp.router."),
            tower=tower,
            adaptor=adaptor,
            decoder=count(shapes) - tower - adaptor,
        )

    def more(self) -> dict[str, Any]:
        """What a plan as JSON says of such a stage beside what it says of every other."""
        return {}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts: `total` with adapters, `activated` by one token, `trained`, and of what kind they are."""

    total: int
    activated: int
    trained: int
    adapters: int
    experts: int
    routers: int
    tower: int
    adaptor: int
    decoder: int

    @property
    def frozen(self) -> int:
        return self.total - self.trained


def parameters(stage: StageSettings, shapes: Shapes | None = None) -> Parameters:
    """Count the stage's parameters.

    Raises:
        UserError: nothing of the model would train.
    """
    counted = stage.counted(stage.model_weights() if shapes is None else shapes)
    if not counted.trained:
        what = (
            f"lora targets {', '.join(stage.lora.targets)}"
            if stage.lora
            else f"trains={list(stage.trains or ())}"
        )
        raise UserError(f"stage {stage.name!r}: {what} names no weight of {stage.architecture.name}")
    return counted


def adapter_weights(stage: StageSettings, shapes: Mapping[str, tuple[int, ...]]) -> Shapes:
    """The adapters' weights: A (…, r, in) and B (…, out, r) for each adapted weight (…, out, in)."""
    found: Shapes = {}
    for name, shape in shapes.items():
        module = name.removesuffix(".weight")
        if (rank := stage.adapted(module)) and len(shape) > 1:
            *leading, outputs, inputs = shape
            found[f"{module}.lora_A"] = (*leading, rank, inputs)
            found[f"{module}.lora_B"] = (*leading, outputs, rank)
    return found


def _activated_adapters(stage: StageSettings, shapes: Shapes) -> int:
    model = stage.architecture
    total = 0
    for name, shape in adapter_weights(stage, shapes).items():
        share = model.top_k / model.experts if ".mlp.experts." in name else 1
        total += int(prod(shape) * share)
    return total
