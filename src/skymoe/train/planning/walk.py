"""The walk through the model: tower, adaptor, decoder layers, head, each written on the tape.

D hidden size, F FFN width, E experts, K chosen ones, V tower width, S tokens of one sample.
"""

from __future__ import annotations

from .stage import StageSettings
from .tape import LINEAR, NORM, Block, Dtypes, Tape
from .tensors import ADAPTOR, DECODER, TOWER, feature_width

INDEX = 8  # bytes of an int64


def walk(stage: StageSettings, dtypes: Dtypes) -> list[Block]:
    """Blocks in the order of the forward pass, with FLOP and bytes of one sample (one picture, one conversation)."""
    tape = Tape(stage, dtypes)
    features = _tower(tape)
    if not stage.tower_only:
        _adaptor(tape, features)
        _decoder(tape)
    return tape.blocks


def _tower(tape: Tape) -> int:
    tower, stage = tape.stage.architecture.tower, tape.stage
    if not tower.known:
        from .on_meta import walk_tower

        return walk_tower(tape)
    V, N, F = tower.hidden, tower.tokens, tower.width
    tape.begin("tower input")
    tape.block.saved += 3 * tower.image_size**2 * NORM  # the picture itself
    patch = f"{TOWER}embeddings.patch_embedding"
    flowing, tape.flowing = tape.flowing, False  # pixels have no gradient, only what is made of them
    given = tape.linears(tower.patches, 3 * tower.patch**2, {patch: V}, tape.dtypes.frozen)
    tape.flowing |= flowing
    for name in ("class_embedding", "position_embedding.weight"):
        tape.flowing |= stage.trained(f"{TOWER}embeddings.{name}")
    if tower.kind == "clip_vision_model":
        given = tape.layer_norm(N, V, f"{TOWER}pre_layrnorm", given)
    tape.end()
    for index in range(tower.layers):
        name = f"{TOWER}encoder.layers.{index}"
        tape.begin(f"tower layer {index}", entrance=N * V * given, repeated=True)
        normed = tape.layer_norm(N, V, f"{name}.layer_norm1", given)
        heads = {f"{name}.self_attn.{part}": V for part in ("q_proj", "k_proj", "v_proj")}
        compute = tape.linears(N, V, heads, normed)
        tape.attention(N, tower.heads, tower.heads, V // tower.heads, compute, masked=False)
        tape.linears(N, V, {f"{name}.self_attn.out_proj": V}, compute, kept=True)
        normed = tape.layer_norm(N, V, f"{name}.layer_norm2", given)
        compute = tape.linears(N, V, {f"{name}.mlp.fc1": F}, normed)
        tape.keep(
            N * F * compute * (2 if tower.kind == "clip_vision_model" else 1)
        )  # quick GELU has two factors
        tape.linears(N, F, {f"{name}.mlp.fc2": V}, compute)
        tape.passing(N * (2 * F * compute + V * NORM))
        tape.block.spared = LINEAR * N * F * V
        tape.end()
    for block in tape.blocks[len(tape.blocks) - tower.unused_layers :]:  # run, but no loss hears of them
        block.backward = block.saved = block.copies = block.passing = 0.0
        block.learns = False
    return given


def _adaptor(tape: Tape, given: int) -> None:
    model = tape.stage.architecture
    D, N = model.decoder.hidden, model.image_tokens
    tape.begin("adaptor")
    compute = tape.linears(N, feature_width(model) * model.feature_layers, {f"{ADAPTOR}linear_1": D}, given)
    tape.keep(N * D * compute)
    tape.linears(N, D, {f"{ADAPTOR}linear_2": D}, compute)
    tape.passing(N * 2 * D * compute)
    tape.end()


def _decoder(tape: Tape) -> None:
    stage, model = tape.stage, tape.stage.architecture
    text, S = model.decoder, stage.tokens
    embedding = f"{DECODER}embed_tokens.weight"
    tape.begin("embedding")
    tape.flowing |= stage.trained(embedding)
    stream = tape.stored(embedding)
    tape.block.saved += S * (
        4 * INDEX + 2 * text.head_dim * stream
    )  # what came in, and the angles of all layers
    if stage.padded:
        tape.block.saved += S * S
    tape.end()
    for index in range(text.layers):
        tape.begin(f"layer {index}", entrance=S * text.hidden * stream, repeated=True)
        stream = decoder_layer(tape, f"{DECODER}layers.{index}", S, stream, index in model.expert_layers)
        tape.end()
    head(tape, DECODER, S, stage.answer_tokens, stream)


def decoder_layer(tape: Tape, name: str, tokens: int, stream: int, mixed: bool = False) -> int:
    """One layer on `tokens` of hidden states, `stream` bytes a number; returns the bytes of those it gives. `mixed`:
    with experts."""
    stage, text = tape.stage, tape.stage.architecture.decoder
    S, D = tokens, text.hidden
    normed = tape.norm(S, D, f"{name}.input_layernorm", stream)
    heads = {"q_proj": text.heads, "k_proj": text.kv_heads, "v_proj": text.kv_heads}
    outputs = {f"{name}.self_attn.{part}": many * text.head_dim for part, many in heads.items()}
    compute = tape.linears(S, D, outputs, normed)
    if text.normed_heads:
        tape.norm(S * text.heads, text.head_dim, f"{name}.self_attn.q_norm", compute)
        tape.norm(S * text.kv_heads, text.head_dim, f"{name}.self_attn.k_norm", compute)
    tape.attention(S, text.heads, text.kv_heads, text.head_dim, compute, stage.padded)
    attended = tape.linears(
        S, text.heads * text.head_dim, {f"{name}.self_attn.o_proj": D}, compute, kept=True
    )
    stream = max(stream, attended)
    normed = tape.norm(S, D, f"{name}.post_attention_layernorm", stream)
    if mixed:
        _mixture(tape, f"{name}.mlp", normed)
    else:
        _ffn(tape, f"{name}.mlp", S, normed)
    return stream


def _ffn(tape: Tape, name: str, rows: int, given: int) -> None:
    D, F = tape.stage.architecture.decoder.hidden, tape.stage.architecture.decoder.width
    compute = tape.linears(rows, D, {f"{name}.gate_proj": F, f"{name}.up_proj": F}, given)
    tape.keep(rows * 3 * F * compute)  # the gate before and after its activation, and what it gates
    tape.linears(rows, F, {f"{name}.down_proj": D}, compute)
    tape.passing(rows * (2 * F * compute + D * NORM))
    tape.block.spared = LINEAR * rows * F * D


def _mixture(tape: Tape, name: str, given: int) -> None:
    """K experts a token: their rows are gathered, so that each expert's lie together; the router is float32."""
    stage, model = tape.stage, tape.stage.architecture
    D, F, E, S = model.decoder.hidden, model.decoder.width, model.experts, stage.tokens
    rows, flows = S * model.top_k, tape.flowing
    block = tape.block
    learns = stage.trained(f"{name}.router.weight")
    block.forward += LINEAR * S * D * E
    block.backward += LINEAR * S * D * E * (flows + learns)
    if learns:
        block.saved += S * D * NORM
    if flows or learns:  # logits, probabilities, those of the balance loss; choices and weights
        block.saved += S * (4 * E * NORM + model.top_k * 3 * INDEX)
    gate = learns or flows
    fused = stage.kernel != "eager"
    up = {f"{name}.experts.gate_up_proj": 2 * F}
    compute = tape.linears(rows, D, up, given, copies=E, weight="", casts=not fused)
    tape.flowing |= gate
    tape.keep(rows * (2 * INDEX + 3 * F * compute))
    out = tape.linears(
        rows, F, {f"{name}.experts.down_proj": D}, compute, copies=E, weight="", casts=not fused
    )
    if gate:
        block.saved += rows * (D * out + NORM)  # each expert's answer, to learn how much it should count
        block.saved += 0 if fused else rows * D * given  # and, added up expert by expert, its share
    if fused:
        tape.passing(rows * 2 * F * compute + S * D * NORM)
    else:  # expert after expert; each one's slice of the gradient comes as a whole tensor, mostly zeros
        tape.passing(rows / E * 2 * F * compute + S * D * NORM)
        trained = stage.trained(f"{name}.experts.gate_up_proj")
        block.scratch = E * 2 * F * D * tape.dtypes.stored(True) * trained


def head(tape: Tape, decoder: str, tokens: int, answers: int, stream: int) -> None:
    """Final norm of `tokens` and logits of the answer tokens alone (`answers_only`), whose loss is computed in float32.
    `decoder`: where its weights' names begin."""
    text = tape.stage.architecture.decoder
    D, A, V = text.hidden, answers, text.vocabulary
    tape.begin("head")
    given = tape.norm(tokens, D, f"{decoder}norm", stream)
    name = f"{decoder}embed_tokens" if text.tied else "lm_head"
    compute = tape.linears(A, D, {name: V}, given)
    # Log-probabilities stay; beside them come the logits with a float32 copy, then their gradients in both formats.
    tape.keep(A * V * NORM)
    tape.passing(A * V * (NORM if compute == NORM else compute + NORM))
    tape.end()
