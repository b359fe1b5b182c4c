"""Memory of one GPU in a training step, by part and moment, for each way of spreading a model over GPUs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from math import gcd, prod

from .architecture import Shapes
from .stage import StageSettings, adapter_weights
from .tape import Block, Dtypes

STRATEGIES = {
    "ddp": "everything on every GPU",
    "zero2": "FSDP2, reshard_after_forward false: gradients and optimizer spread, weights whole while computing",
    "fsdp": "FSDP2: weights, gradients and optimizer spread, a layer's weights gathered while it computes",
    "ep": "FSDP2 and expert parallelism: each GPU computes with its share of the experts, tokens travel",
    "offload": "FSDP2 with weights, gradients and optimizer in the computer's own memory",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A strategy on `gpus` GPUs; `expert_groups` of them hold different experts (1 but for "ep")."""

    strategy: str
    gpus: int
    expert_groups: int = 1

    @property
    def sharded(self) -> bool:
        return self.strategy != "ddp"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one GPU. `activations` and `working` (gathered layers, gradients on their way, logits) are the most that
    a moment holds; not all is at its most at once, so `peak`, that of the worst moment, is less than their sum.
    `host`: bytes in the computer's own memory for each GPU."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    working: float
    moments: dict[str, float]
    host: float = 0.0

    @property
    def peak(self) -> float:
        return max(self.moments.values())

    @property
    def state(self) -> float:
        return self.weights + self.gradients + self.optimizer

    @property
    def worst(self) -> str:
        """The moment of the peak."""
        return max(self.moments, key=lambda moment: self.moments[moment])


@dataclass(frozen=True, slots=True)
class Held:
    """Numbers in a block: all weights and those that learn, and of both the experts."""

    weights: int = 0
    trained: int = 0
    experts: int = 0
    trained_experts: int = 0

    def __add__(self, other: Held) -> Held:
        return Held(
            self.weights + other.weights, self.trained + other.trained,
            self.experts + other.experts, self.trained_experts + other.trained_experts,
        )  # fmt: skip

    def gathered(self, layout: Layout) -> float:
        """Weights on a GPU that computes with the block."""
        return self.weights - self.experts + self.experts / layout.expert_groups

    def gathered_gradients(self, layout: Layout) -> float:
        return self.trained - self.trained_experts + self.trained_experts / layout.expert_groups


def layouts(stage: StageSettings, gpus: int, wanted: tuple[str, ...] = tuple(STRATEGIES)) -> list[Layout]:
    """Layouts that are possible: over one GPU nothing is spread, experts only over a common divisor of both counts."""
    experts = 0 if stage.tower_only else stage.architecture.experts
    found = []
    for strategy in wanted:
        groups = gcd(experts, gpus) if strategy == "ep" and experts else 1
        if (gpus == 1 and strategy in ("zero2", "fsdp")) or (strategy == "ep" and groups == 1):
            continue
        found.append(Layout(strategy, gpus, groups))
    return found


class Estimator:
    """Memory of one stage for any layout, micro-batch and checkpointing; its weights are counted once."""

    def __init__(self, stage: StageSettings) -> None:
        self.stage = stage
        self.shapes = stage.model_weights()
        self._held = _held_by_block(stage, self.shapes)
        self.held = sum(self._held.values(), Held())
        self._walks: dict[Dtypes, list[Block]] = {}

    def blocks(self, layout: Layout) -> list[Block]:
        dtypes = dtypes_of(self.stage, layout)
        if dtypes not in self._walks:
            self._walks[dtypes] = self.stage.walk(dtypes)
        return self._walks[dtypes]

    def met_again(self, layout: Layout) -> Held:
        """What the forward pass comes to again, as often as it does."""
        names = Counter(block.name for block in self.blocks(layout))
        again = (self._held.get(name, Held()) for name, times in names.items() for _ in range(times - 1))
        return sum(again, Held())

    def memory(self, layout: Layout, micro: int, checkpointing: bool, accumulates: bool) -> Memory:
        """For micro-batches of `micro` samples; `accumulates`: several of them, whose gradients add up, to a step."""
        precision, spread = self.stage.precision, layout.gpus if layout.sharded else 1
        blocks = self.blocks(layout)
        held = [self._held.get(block.name, Held()) for block in blocks]
        whole = self.held
        weights = (
            whole.trained * precision.trained + (whole.weights - whole.trained) * precision.frozen
        ) / spread
        gradients = whole.trained * precision.gradient / spread
        optimizer = whole.trained * precision.moments / spread
        # DistributedDataParallel sends gradients in buckets, which are a second copy of them.
        buckets = gradients if layout.strategy == "ddp" and layout.gpus > 1 else 0.0
        offloaded = layout.strategy == "offload"
        on_gpu = 0.0 if offloaded else 1.0
        fixed = on_gpu * (weights + optimizer) + buckets
        earlier = on_gpu * gradients if accumulates else 0.0

        inner = [micro * block.saved + block.copies for block in blocks]
        again = [checkpointing and block.repeated for block in blocks]
        kept = [
            micro * block.entrance * block.learns if repeat else inside
            for block, repeat, inside in zip(blocks, again, inner, strict=True)
        ]
        activations = sum(kept)
        cached = sum(block.cached for block, repeat in zip(blocks, again, strict=True) if repeat)
        gathered = [self._gathered(layout, held, place) for place in range(len(blocks))]
        end = micro * blocks[-1].passing + cached + gathered[-1]
        moments = {
            "end of forward": fixed + earlier + activations + end,
            "backward": 0.0,
            "optimizer step": fixed + on_gpu * gradients,
        }
        working = end
        kept_until = list(accumulate(kept))
        done, met = 0.0, set[str]()  # gradients of the blocks behind
        for place in reversed(range(len(blocks))):
            block = blocks[place]
            if not block.learns:
                break
            travelling = (
                2 * held[place].gathered_gradients(layout) * precision.gathered if layout.sharded else 0.0
            )
            passing = micro * block.passing + block.scratch + gathered[place] + travelling
            passing += inner[place] if again[place] else 0.0
            passing += self._exchanged(layout, micro)
            working = max(working, passing)
            moment = fixed + max(earlier, done) + kept_until[place] + passing
            moments["backward"] = max(moments["backward"], moment)
            if block.name not in met:  # the decoder of an RS-MoE is met twice, and has one gradient
                done += on_gpu * held[place].trained * precision.gradient / spread
            met.add(block.name)
        return Memory(
            weights=on_gpu * weights,
            gradients=on_gpu * gradients,
            optimizer=on_gpu * optimizer,
            activations=activations,
            working=working + buckets,
            moments=moments,
            host=weights + gradients + optimizer if offloaded else 0.0,
        )

    def _gathered(self, layout: Layout, held: list[Held], place: int) -> float:
        """Whole weights on this GPU while block `place` computes, in the format of the computation."""
        if not layout.sharded or (layout.gpus == 1 and layout.strategy != "offload"):
            return 0.0
        if layout.strategy == "zero2":
            wanted = list({id(one): one for one in held[: place + 1]}.values())
        else:  # the block, the next one on its way, and what belongs to no layer, which stays
            wanted = [held[place], *(held[place - 1 : place] if place else ())]
            names = ("head", "adaptor", "projector", "router", "tower input")
            others = [self._held.get(name, Held()) for name in names]
            wanted += [other for other in others if all(other is not one for one in wanted)]
        return sum(one.gathered(layout) for one in wanted) * self.stage.precision.gathered

    def _exchanged(self, layout: Layout, micro: int) -> float:
        """Rows sent to the experts of other GPUs and their answers."""
        if layout.expert_groups == 1:
            return 0.0
        model = self.stage.architecture
        rows = micro * self.stage.tokens * model.top_k
        return 2.0 * rows * model.decoder.hidden * self.stage.precision.compute


def dtypes_of(stage: StageSettings, layout: Layout) -> Dtypes:
    """FSDP2 gathers weights in one format; where that is not the computation's, autocast converts them op by op."""
    precision = stage.precision
    if layout.sharded:
        converts = precision.gathered != precision.compute
        return Dtypes(precision.gathered, precision.gathered, precision.compute if converts else None)
    mixed = precision.trained != precision.compute
    return Dtypes(precision.trained, precision.frozen, precision.compute if mixed else None)


def _held_by_block(stage: StageSettings, shapes: Shapes) -> dict[str, Held]:
    found: dict[str, Held] = defaultdict(Held)
    for name, shape in shapes.items():
        size, trained = prod(shape), stage.trained(name)
        expert = ".mlp.experts." in name
        found[stage.block_of(name)] += Held(size, size * trained, size * expert, size * (expert and trained))
    for name, shape in adapter_weights(stage, shapes).items():
        size, expert = prod(shape), ".mlp.experts." in name
        found[stage.block_of(name)] += Held(size, size, size * expert, size * expert)
    return dict(found)
