"""How long a stage is and how much it computes: steps, tokens, FLOP of a step and of answering, traffic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from skymoe.errors import UserError
from skymoe.train.steps import steps_of

from .architecture import Architecture
from .memory import Estimator, Layout
from .stage import PRECISIONS, StageSettings
from .tape import Block, Dtypes
from .tensors import activated, count, weights
from .walk import walk


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps of a stage and what passes through the decoder in it."""

    steps: int
    batch_size: int
    samples: int
    tokens_per_sample: int
    tokens_per_step: int
    tokens: int


def schedule(stage: StageSettings) -> Schedule:
    """Steps as given, else as a training counts them (`steps_of`): 251,000 × 5 in batches of 144 are 8,715.

    Raises:
        UserError: neither steps nor samples are known, or they are less than one batch.
    """
    steps = stage.steps
    if steps is None:
        if stage.samples is None:
            raise UserError(f"stage {stage.name!r}: give --steps, or --samples and --epochs")
        steps = steps_of(stage.epochs, stage.samples, stage.batch_size)
        if steps == 0:
            raise UserError(
                f"stage {stage.name!r}: {stage.epochs:g} epochs of {stage.samples} samples are less than one batch of "
                f"{stage.batch_size}: lower the batch size"
            )
    samples = steps * stage.batch_size
    return Schedule(
        steps=steps,
        batch_size=stage.batch_size,
        samples=samples,
        tokens_per_sample=stage.tokens,
        tokens_per_step=stage.tokens * stage.batch_size,
        tokens=stage.tokens * samples,
    )


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """FLOP of one optimizer step over all GPUs; `checkpointing`: what gradient checkpointing adds, layers computed
    again."""

    forward: float
    backward: float
    checkpointing: float

    def total(self, checkpointing: bool) -> float:
        return self.forward + self.backward + (self.checkpointing if checkpointing else 0.0)


def arithmetic(stage: StageSettings) -> Arithmetic:
    dtypes = Dtypes(stage.precision.compute, stage.precision.compute)
    blocks = stage.walk(dtypes)
    backward = sum(block.backward for block in blocks)
    recomputed = sum(block.forward - block.spared for block in blocks if block.repeated and block.learns)
    return Arithmetic(
        forward=stage.batch_size * _forward(blocks),
        backward=stage.batch_size * backward,
        checkpointing=stage.batch_size * recomputed,
    )


@dataclass(frozen=True, slots=True)
class Answering:
    """One question to the finished model in bfloat16. FLOP: `prefill` of the decoder for picture and question, logits
    at every position (the usual arithmetic), `prefill_last` with the last one's alone, as in generation, `tower` and
    adaptor, each further `token`. Bytes: all weights, those read for a token, the cache."""

    tokens: int
    prefill: float
    prefill_last: float
    prefill_dense: float
    tower: float
    token: float
    weights: int
    weights_read: int
    cache: int

    @property
    def ratio(self) -> float:
        """Prefill against the dense model it grew from."""
        return self.prefill / self.prefill_dense


def answering(model: Architecture, text_tokens: int = 64) -> Answering:
    """Needs of answering, whatever the stage trains."""
    stage = StageSettings("answering", model, 1, text_tokens=text_tokens, precision=PRECISIONS["pure-bf16"])
    tokens, text = stage.tokens, model.decoder
    whole, last = (_decoder_flop(stage, answers) for answers in (tokens, 1))
    dense = (
        _decoder_flop(replace(stage, architecture=model.with_experts(0)), tokens) if model.experts else whole
    )
    blocks = walk(stage, Dtypes(2, 2))
    shapes = weights(model)
    decoding = {
        name: shape
        for name, shape in shapes.items()
        if "vision_tower" not in name and "projector" not in name
    }
    attention = 4 * tokens * text.heads * text.head_dim * text.layers
    embedding = 0 if text.tied else text.vocabulary * text.hidden  # a row of it, not the whole
    read = activated(model, decoding) - embedding
    return Answering(
        tokens=tokens,
        prefill=whole,
        prefill_last=last,
        prefill_dense=dense,
        tower=_forward(block for block in blocks if not _decodes(block)),
        token=2.0 * read + attention,
        weights=2 * count(shapes),
        weights_read=2 * read,
        cache=2 * 2 * tokens * text.kv_heads * text.head_dim * text.layers,
    )


def traffic(estimator: Estimator, layout: Layout, micro_batches: int, checkpointing: bool) -> float:
    """Bytes that one GPU sends in one optimizer step, gradients in the weights' gathered format where sharded.

    FSDP2 gathers the weights for the forward and again for the backward pass of every micro-batch, and spreads the
    gradients after each (which needs Accelerate's `sync_each_batch`: without it every GPU holds whole gradients).
    """
    if layout.gpus == 1:
        return 0.0
    stage, share = estimator.stage, (layout.gpus - 1) / layout.gpus
    held = estimator.held
    if layout.strategy == "ddp":
        return 2 * share * held.trained * stage.precision.gradient
    compute = stage.precision.gathered
    gathered, gradients = held.weights - held.experts, held.trained - held.trained_experts
    groups = layout.gpus // layout.expert_groups  # GPUs that share an expert's weights
    expert_share = (groups - 1) / groups / layout.expert_groups
    passes = 1 if layout.strategy == "zero2" else 2
    if passes > 1:
        # The decoder of an RS-MoE is gathered, and gives its gradients, once for each time that it runs.
        again = estimator.met_again(layout)
        gathered, gradients = gathered + again.weights, gradients + again.trained
    each = share * (passes * gathered + gradients)
    each += expert_share * (passes * held.experts + held.trained_experts)
    total = micro_batches * each * compute
    if layout.expert_groups > 1:
        model = stage.architecture
        rows = stage.batch_size / layout.gpus * stage.tokens * model.top_k * len(model.expert_layers)
        exchanges = 6 if checkpointing else 4  # there and back, forward, (again,) backward
        total += exchanges * rows * model.decoder.hidden * compute * (1 - 1 / layout.expert_groups)
    return total


def bus_traffic(estimator: Estimator, layout: Layout, micro_batches: int) -> float:
    """Bytes between one GPU and the computer's memory in one step, where weights, gradients and optimizer live there:
    the weights come twice and the gradients go once for every micro-batch; AdamW reads and writes all it knows."""
    if layout.strategy != "offload":
        return 0.0
    precision, held = estimator.stage.precision, estimator.held
    frozen = held.weights - held.trained
    weights = held.trained * precision.trained + frozen * precision.frozen
    each = 2 * weights + held.trained * precision.gradient
    return (micro_batches * each + 2 * held.trained * precision.per_trained) / layout.gpus


def _forward(blocks: Iterable[Block]) -> float:
    return sum(block.forward for block in blocks)


def _decodes(block: Block) -> bool:
    return block.name.startswith("layer") or block.name in ("head", "embedding")


def _decoder_flop(stage: StageSettings, answers: int) -> float:
    return _forward(b for b in walk(replace(stage, answer_tokens=answers), Dtypes(2, 2)) if _decodes(b))
