"""The walk through an RS-MoE: tower, Q-Former, router, the experts' findings, and the decoder once or twice.

N tower features, Q visual tokens, I instruction tokens, H the Q-Former's width, D the decoder's, E experts, P
soft-prompt tokens. Blocks are written for one row, or one stream of it, and then taken as often as a picture has them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..tape import LINEAR, NORM, Block, Dtypes, Tape
from ..walk import INDEX, decoder_layer, head
from .decoding import finding
from .dimensions import DECODER, QFORMER, ROUTER, RowStage
from .on_meta import tower_flop


class RowTape(Tape):
    """A tape that knows `AdaptedLinear`: E adapters on one layer, their product added to what the layer gives."""

    def __init__(self, stage: RowStage, dtypes: Dtypes) -> None:
        super().__init__(stage, dtypes)
        self.rows = stage

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
        flows = self.flowing
        result = super().linears(rows, inputs, outputs, given, copies, weight, casts, kept)
        compute = self.dtypes.compute(self.dtypes.trained)
        # The layer's input is held already where the op before needs it, or a weight of these layers that learns.
        learns = any(self.stage.trained(module + weight) for module in outputs)
        held = compute == given and ((kept and flows) or learns)
        for module, width in outputs.items():
            if not (rank := self.rows.rank_of(module)):
                continue
            flop = LINEAR * rows * rank
            self.block.forward += flop * (inputs + width)
            self.block.backward += flop * (inputs * (1 + flows) + 2 * width)
            # A and B are repeated for every row of the batch; the product with A is kept, and its input.
            self.block.saved += (rows + inputs + width) * rank * compute
            if not held:
                self.block.saved += rows * inputs * compute
                held = compute == given
            self.flowing = True
        return result

    def features(self, rows: int, inputs: int, outputs: Mapping[str, int], given: int, held: bool) -> int:
        """Projections of the tower's features, which are kept already where they are `held` and need no conversion."""
        before = self.block.saved
        result = self.linears(rows, inputs, outputs, given)
        if held and result == given:
            self.block.saved = before
        return result


def walk_rows(stage: RowStage, dtypes: Dtypes) -> list[Block]:
    """Blocks in the order of the forward pass, with FLOP and bytes of one picture with its rows."""
    tape, model = RowTape(stage, dtypes), stage.model
    _tower(tape)
    _reader(tape)
    if model.names:
        _router(tape)
        found = tape.begin("findings")  # without gradient: what it takes is gone before the answer begins
        found.forward = stage.rows * stage.generated * finding(stage)
        tape.end()
    flowing = tape.flowing
    for number, (tokens, learnt) in enumerate(stage.passes):
        tape.flowing = flowing
        first = len(tape.blocks)
        _decoder(tape, tokens, learnt)
        for block in tape.blocks[first:] if number else ():
            block.copies -= block.cached  # autocast still has what it made of them in the first pass
            block.cached = 0.0
    return tape.blocks


def _times(block: Block, many: int) -> None:
    for name in ("entrance", "forward", "backward", "saved", "passing", "spared"):
        setattr(block, name, many * getattr(block, name))


def _tower(tape: RowTape) -> None:
    """Frozen in every stage, and run once, however many rows a picture has; each row gets its own copy of features."""
    stage, side = tape.rows, tape.stage.architecture.tower.image_size
    flop, tokens = tower_flop(stage.model)
    given = NORM if tape.dtypes.autocast else tape.dtypes.frozen
    names = dict.fromkeys(stage.block_of(name) for name in stage.model_weights())
    layers = [name for name in names if name.startswith("tower layer")]
    tape.begin("tower input").saved = 3.0 * side**2 * NORM
    tape.block.saved += stage.rows * tokens * stage.architecture.tower.hidden * given
    for name in layers:  # equal ones; what lies around them is little
        tape.begin(name, repeated=True)
    for block in tape.blocks[1:] or tape.blocks:
        block.forward = flop / max(1, len(layers))


def _reader(tape: RowTape) -> None:
    """The Q-Former on visual queries and instruction; every so many layers the queries read the tower's features."""
    stage, model = tape.rows, tape.rows.model
    reader, (_, N) = model.reader, tower_flop(model)
    H, Q, T = reader.hidden, reader.queries, reader.queries + stage.instruction_tokens
    first = len(tape.blocks)
    given = NORM if tape.dtypes.autocast else tape.dtypes.frozen
    tape.begin("adaptor")
    if reader.narrowed:
        given = tape.features(
            N, model.tower.hidden, {"model.feature_projector": reader.channels}, given, True
        )
    flows = tape.flowing  # the features have a gradient only behind a projection that learns
    tape.flowing |= stage.trained("model.query_tokens")
    tape.flowing |= stage.trained(f"{QFORMER}embeddings.word_embeddings.weight")
    tape.keep(3 * INDEX * T)
    stream = tape.layer_norm(T, H, f"{QFORMER}embeddings.layernorm", tape.stored("model.query_tokens"))
    _drop(tape, T)
    tape.end()
    read = not reader.narrowed
    for index in range(reader.layers):
        name = f"{QFORMER}encoder.layer.{index}"
        tape.begin(f"reader layer {index}", entrance=T * H * stream, repeated=True)
        _attend(tape, f"{name}.attention", T, None, stream)
        if index % reader.every == 0:
            _attend(tape, f"{name}.crossattention", Q, N, stream, given, read, flows)
            read = True
        _feed(tape, name, "_query", Q, stream)
        _feed(tape, name, "", stage.instruction_tokens, stream)
        tape.end()
    tape.begin("projector")
    tape.linears(Q, H, {"model.projector": model.decoder.hidden}, stream)
    tape.end()
    for block in tape.blocks[first:]:
        _times(block, stage.rows)


def _attend(
    tape: RowTape, name: str, tokens: int, seen: int | None, stream: int, given: int = 0, read: bool = False,
    flows: bool = True,
) -> None:  # fmt: skip
    """Attention of the Q-Former with what follows it: of its tokens among themselves, or to `seen` tower features,
    which are held where an earlier layer has `read` them. `flows`: do those have a gradient?"""
    reader, padded = tape.rows.model.reader, tape.stage.padded and seen is None
    H = reader.hidden
    if seen is None:
        compute = tape.linears(tokens, H, {f"{name}.attention.{part}": H for part in PARTS}, stream)
    else:
        compute = tape.linears(tokens, H, {f"{name}.attention.query": H}, stream)
        flowing, tape.flowing = tape.flowing, tape.flowing and flows
        outputs = {f"{name}.attention.{part}": H for part in PARTS[1:]}
        tape.features(seen, reader.channels, outputs, given, held=read)
        tape.flowing |= flowing
    tape.attention(tokens, reader.heads, reader.heads, H // reader.heads, compute, padded, seen)
    tape.linears(tokens, H, {f"{name}.output.dense": H}, compute, kept=True)
    _drop(tape, tokens)
    tape.layer_norm(tokens, H, f"{name}.output.LayerNorm", stream)


PARTS = ("query", "key", "value")


def _feed(tape: RowTape, name: str, kind: str, tokens: int, stream: int) -> None:
    reader = tape.rows.model.reader
    H, W = reader.hidden, reader.width
    compute = tape.linears(tokens, H, {f"{name}.intermediate{kind}.dense": W}, stream)
    tape.keep(tokens * W * compute)
    tape.linears(tokens, W, {f"{name}.output{kind}.dense": H}, compute)
    _drop(tape, tokens)
    tape.layer_norm(tokens, H, f"{name}.output{kind}.LayerNorm", stream)
    tape.passing(tokens * (2 * W * compute + H * NORM))


def _drop(tape: RowTape, tokens: int) -> None:
    reader = tape.rows.model.reader
    if reader.dropout:
        tape.keep(tokens * reader.hidden)  # what was dropped, a byte for each number


def _router(tape: RowTape) -> None:
    """E·(1 + P) queries read visual tokens and instruction; they become prompts, weights and words told."""
    stage, model = tape.rows, tape.rows.model
    D, E, P = model.decoder.hidden, len(model.names), model.prompt_length
    tape.begin("router")
    if not model.instructed:
        tape.flowing |= stage.trained(f"{ROUTER}prompt") and P > 0
        tape.end()
        return
    Q, I = model.reader.queries, stage.instruction_tokens  # noqa: E741
    K, stream = E * (1 + P), tape.stored(f"{ROUTER}queries")
    visual = tape.dtypes.compute(tape.stored("model.projector.weight"))
    normed = tape.layer_norm(Q, D, f"{ROUTER}visual_norm", visual)
    tape.layer_norm(I, D, f"{ROUTER}instruction_norm", tape.stored(f"{DECODER}embed_tokens.weight"))
    tape.flowing |= stage.trained(f"{ROUTER}queries")
    for index in range(model.router_layers):
        name = f"{ROUTER}layers.{index}"
        given = tape.layer_norm(K, D, f"{name}.query_norm", stream)
        compute = tape.linears(K, D, {f"{name}.query": D}, given)
        tape.linears(Q + I, D, {f"{name}.key": D, f"{name}.value": D}, normed, kept=index > 0)
        heads = model.router_heads
        tape.attention(K, heads, heads, D // heads, compute, True, Q + I)
        tape.linears(K, D, {f"{name}.out": D}, compute, kept=True)
        given = tape.layer_norm(K, D, f"{name}.ffn_norm", stream)
        compute = tape.linears(K, D, {f"{name}.up": 2 * D}, given)
        tape.keep(K * 2 * D * compute)
        tape.linears(K, 2 * D, {f"{name}.down": D}, compute)
    given = tape.layer_norm(K, D, f"{ROUTER}norm", stream)
    tape.linears(E * P, D, {f"{ROUTER}prompt": D}, given)
    for expert, words in enumerate(model.words if any(model.words) else ()):
        tape.linears(1, D, {f"{ROUTER}words.{expert}": words}, given)
    tape.keep(2 * E * D * NORM)  # where the experts' weights are read from
    tape.end()
    _times(tape.block, stage.rows)


def _decoder(tape: RowTape, tokens: int, learnt: int) -> None:
    """One pass with a gradient: E streams of each row, `tokens` long, `learnt` of them predicted."""
    stage, text = tape.rows, tape.rows.model.decoder
    first, streams = len(tape.blocks), stage.rows * stage.model.streams
    embedding = f"{DECODER}embed_tokens.weight"
    tape.begin("embedding")
    tape.flowing |= stage.trained(embedding)
    stream = tape.stored(embedding)
    tape.block.saved += tokens * (4 * INDEX + 2 * text.head_dim * stream)
    if stage.padded:
        tape.block.saved += tokens * tokens
    tape.end()
    for index in range(text.layers):
        tape.begin(f"layer {index}", entrance=tokens * text.hidden * stream, repeated=True)
        stream = decoder_layer(tape, f"{DECODER}layers.{index}", tokens, stream)
        if rank := stage.rank_of(f"{DECODER}layers.{index}.mlp.down_proj"):
            tape.block.spared = LINEAR * tokens * rank * text.hidden  # the adapter comes last
        tape.end()
    head(tape, DECODER, tokens, learnt, stream)
    for block in tape.blocks[first:]:
        _times(block, streams)


__all__ = ["RowTape", "walk_rows"]
