"""What autograd keeps and computes, in closed form: one sample walks through the model, op by op.

A `Tape` writes down for each block of the model the arithmetic of its forward and backward pass and the bytes of the
tensors that the backward pass needs. The rules are autograd's: a linear layer keeps its input if its weight learns and
its weight if its input has a gradient; an op on tensors without gradient keeps nothing. Frozen parts are therefore
cheap, and what lies before the first weight that learns costs nothing at all. Tests compare with real models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .stage import StageSettings

NORM, LINEAR = 4, 2  # bytes of float32, in which norms compute; FLOP of one multiply-add


@dataclass(frozen=True, slots=True)
class Dtypes:
    """Bytes a number takes where the forward pass sees it. `autocast`: linear layers compute in so many, else None."""

    trained: int
    frozen: int
    autocast: int | None = None

    def stored(self, trained: bool) -> int:
        return self.trained if trained else self.frozen

    def compute(self, stored: int) -> int:
        return self.autocast or stored


@dataclass(slots=True)
class Block:
    """A part of the model that is sharded and checkpointed as one. FLOP and bytes are those of one sample.

    `entrance`: bytes of the block's input, all that gradient checkpointing keeps. `saved`: those that the backward pass
    needs. `copies`: those that it needs once, however many samples (weights in another format), of which autocast holds
    `cached` to the end of the forward pass. `passing`: those that come and go while gradients are computed; `scratch`:
    likewise, once. `spared`: FLOP of the last projection, which is not computed again, as no gradient needs its result.
    """

    name: str
    entrance: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    saved: float = 0.0
    copies: float = 0.0
    cached: float = 0.0
    passing: float = 0.0
    scratch: float = 0.0
    spared: float = 0.0
    repeated: bool = False  # one of many equal layers: checkpointed, and sharded by itself
    learns: bool = False  # takes part in the backward pass


@dataclass
class Tape:
    """`flowing`: does the hidden state at this point have a gradient?"""

    stage: StageSettings
    dtypes: Dtypes
    flowing: bool = False
    blocks: list[Block] = field(default_factory=list)

    @property
    def block(self) -> Block:
        return self.blocks[-1]

    def begin(self, name: str, entrance: float = 0.0, repeated: bool = False) -> Block:
        self.blocks.append(Block(name, entrance=entrance, repeated=repeated))
        return self.block

    def end(self) -> None:
        self.block.learns = self.flowing

    def stored(self, weight: str) -> int:
        return self.dtypes.stored(self.stage.trained(weight))

    def linears(
        self,
        rows: float,
        inputs: int,
        outputs: Mapping[str, int],
        given: int,
        copies: int = 1,
        weight: str = ".weight",
        casts: bool = True,
        kept: bool = False,
    ) -> int:
        """Projections of one input (rows, inputs), `given` bytes a number; returns the results' bytes a number.

        `outputs`: width by module. `copies`: how many such weights lie in one (experts). `casts`: whether autocast
        reaches them; where not, the input is cast to the weight's format. `kept`: the op before keeps the input.
        """
        block, flows = self.block, self.flowing
        kept = kept and flows
        result = given
        for module, width in outputs.items():
            trained = self.stage.trained(module + weight)
            stored = self.dtypes.stored(trained)
            compute = self.dtypes.compute(stored) if casts else stored
            flop = LINEAR * rows * inputs * width
            block.forward += flop
            block.backward += flop * (flows + trained)
            if trained and not (compute == given and kept):
                block.saved += rows * inputs * compute
                kept |= compute == given
            if compute != stored and flows:
                block.copies += copies * inputs * width * compute
                block.cached += inputs * width * compute * (trained and copies == 1)
            if rank := self.stage.adapted(module):
                self._adapter(rows, inputs, width, rank, given, copies)
            self.flowing |= trained or bool(rank)
            result = compute
        return result

    def _adapter(self, rows: float, inputs: int, outputs: int, rank: int, given: int, copies: int) -> None:
        assert self.stage.lora is not None
        if copies > 1:
            self._adapted_experts(rows, inputs, outputs, given, copies)
            return
        compute = self.dtypes.compute(self.dtypes.trained)
        self.block.forward += LINEAR * rows * rank * (inputs + outputs)
        self.block.backward += LINEAR * rows * rank * (inputs * (1 + self.flowing) + 2 * outputs)
        if self.stage.lora.dropout:
            self.block.saved += rows * inputs  # the mask
        self.block.saved += rows * (inputs + rank) * compute
        if compute != self.dtypes.trained:
            self.block.copies += copies * rank * (inputs + outputs) * compute

    def _adapted_experts(self, rows: float, inputs: int, outputs: int, given: int, copies: int) -> None:
        """PEFT adapts weights that are no module's by adding the product to a copy of them, whose whole gradient comes
        before that of the factors: arithmetic and memory are those of weights that learn, but only in passing."""
        merged = copies * inputs * outputs * self.dtypes.frozen
        self.block.backward += LINEAR * rows * inputs * outputs
        self.block.saved += rows * inputs * given
        self.block.copies += merged
        self.block.scratch = max(self.block.scratch, 2.0 * merged)

    def norm(self, rows: float, width: int, name: str, given: int) -> int:
        """RMS norm: computes in float32, of which it keeps its input and one number a row."""
        trained = self.stage.trained(f"{name}.weight")
        if self.flowing:
            self.block.saved += rows * (width * NORM + NORM)
        if trained:
            self.block.saved += rows * width * given
        self.flowing |= trained
        return max(given, self.dtypes.stored(trained))

    def layer_norm(self, rows: float, width: int, name: str, given: int) -> int:
        """Layer norm: keeps its input, mean and deviation. Autocast computes it in float32."""
        trained = self.stage.trained(f"{name}.weight")
        if self.flowing or trained:
            self.block.saved += rows * (width * given + 2 * NORM)
        self.flowing |= trained
        return NORM if self.dtypes.autocast else given

    def attention(
        self,
        tokens: int,
        heads: int,
        kv_heads: int,
        width: int,
        given: int,
        masked: bool,
        seen: int | None = None,
    ) -> None:
        """Scaled dot products of `tokens` with `seen` others (None: themselves), without a matrix of scores (SDPA's
        fused kernels)."""
        seen = tokens if seen is None else seen
        flop = 2 * LINEAR * tokens * seen * heads * width
        self.block.forward += flop
        if not self.flowing:
            return
        self.block.backward += 2.5 * flop  # the scores are computed once more
        # With a mask the fused kernels take keys and values repeated for every head, and keep the mask as numbers.
        kept = heads if masked else kv_heads
        self.block.saved += tokens * heads * (2 * width * given + NORM) + seen * 2 * kept * width * given
        if masked:
            self.block.saved += tokens * seen * given

    def keep(self, size: float) -> None:
        """Bytes of a tensor that an op without weights keeps, if there is a gradient to compute."""
        if self.flowing:
            self.block.saved += size

    def passing(self, size: float) -> None:
        """Bytes that come and go in the backward pass; the most at one time counts."""
        if self.flowing:
            self.block.passing = max(self.block.passing, size)
