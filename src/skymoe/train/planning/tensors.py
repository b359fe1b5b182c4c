"""Names and shapes of all weights of a SkyMoE model in closed form, as `named_parameters()` would give them.

A test compares them with real models on the meta device. D hidden size, F FFN width, E experts, V tower width.
"""

from __future__ import annotations

from math import prod

from .architecture import Architecture, Decoder, Shapes, Tower

TOWER, ADAPTOR, DECODER = "model.vision_tower.", "model.multi_modal_projector.", "model.language_model."


def weights(model: Architecture) -> Shapes:
    """Every weight of the model. Towers and decoders not known here are built on the meta device (loads torch)."""
    if not model.decoder.known:
        from .on_meta import model_weights

        return model_weights(model)
    return {**_tower(model), **_adaptor(model), **_decoder(model)}


def block_of(name: str) -> str:
    """The walk's block that a weight belongs to."""
    for start, block in ((f"{TOWER}encoder.layers.", "tower layer"), (f"{DECODER}layers.", "layer")):
        if name.startswith(start):
            return f"{block} {name.removeprefix(start).partition('.')[0]}"
    if name.startswith(TOWER):
        return "tower input"
    if name.startswith(ADAPTOR):
        return "adaptor"
    return "embedding" if "embed_tokens" in name else "head"


def count(shapes: Shapes) -> int:
    return sum(prod(shape) for shape in shapes.values())


def activated(model: Architecture, shapes: Shapes) -> int:
    """Parameters that one token passes through: all but the experts that the router did not choose."""
    experts = count({name: shape for name, shape in shapes.items() if ".mlp.experts." in name})
    return count(shapes) - experts + (experts * model.top_k // model.experts if model.experts else 0)


def feature_width(model: Architecture) -> int:
    """Width of the tokens that the adaptor receives of a tower layer."""
    if model.tower.hidden:
        return model.tower.hidden
    from .on_meta import feature_width as ask

    return ask(model)


def _linear(name: str, inputs: int, outputs: int, bias: bool) -> Shapes:
    shapes: Shapes = {f"{name}.weight": (outputs, inputs)}
    return shapes | {f"{name}.bias": (outputs,)} if bias else shapes


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _tower(model: Architecture) -> Shapes:
    if not model.tower.known:
        from .on_meta import tower_weights

        return {TOWER + name: shape for name, shape in tower_weights(model).items()}
    tower = model.tower
    V, clip = tower.hidden, tower.kind == "clip_vision_model"
    shapes: Shapes = {"embeddings.patch_embedding.weight": (V, 3, tower.patch, tower.patch)}
    shapes["embeddings.position_embedding.weight"] = (tower.tokens, V)
    if clip:
        shapes |= {"embeddings.class_embedding": (V,), **_norm("pre_layrnorm", V)}
    else:
        shapes["embeddings.patch_embedding.bias"] = (V,)
    for index in range(tower.layers):
        shapes |= _tower_layer(f"encoder.layers.{index}", tower)
    shapes |= _norm("post_layernorm", V)
    if tower.pooling_head:
        shapes |= {"head.probe": (1, 1, V), "head.attention.in_proj_weight": (3 * V, V)}
        shapes |= {"head.attention.in_proj_bias": (3 * V,), **_linear("head.attention.out_proj", V, V, True)}
        shapes |= {**_norm("head.layernorm", V), **_linear("head.mlp.fc1", V, tower.width, True)}
        shapes |= _linear("head.mlp.fc2", tower.width, V, True)
    return {TOWER + name: shape for name, shape in shapes.items()}


def _tower_layer(name: str, tower: Tower) -> Shapes:
    shapes: Shapes = {}
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= _linear(f"{name}.self_attn.{part}", tower.hidden, tower.hidden, True)
    shapes |= {**_norm(f"{name}.layer_norm1", tower.hidden), **_norm(f"{name}.layer_norm2", tower.hidden)}
    shapes |= _linear(f"{name}.mlp.fc1", tower.hidden, tower.width, True)
    return shapes | _linear(f"{name}.mlp.fc2", tower.width, tower.hidden, True)


def _adaptor(model: Architecture) -> Shapes:
    D, bias = model.decoder.hidden, model.projector_bias
    first = _linear(f"{ADAPTOR}linear_1", feature_width(model) * model.feature_layers, D, bias)
    return first | _linear(f"{ADAPTOR}linear_2", D, D, bias)


def _decoder(model: Architecture) -> Shapes:
    text = model.decoder
    shapes: Shapes = {f"{DECODER}embed_tokens.weight": (text.vocabulary, text.hidden)}
    for index in range(text.layers):
        name = f"{DECODER}layers.{index}"
        shapes |= _attention(f"{name}.self_attn", text)
        shapes |= {
            f"{name}.{part}.weight": (text.hidden,)
            for part in ("input_layernorm", "post_attention_layernorm")
        }
        if index in model.expert_layers:
            shapes |= _mixture(f"{name}.mlp", model)
        else:
            for part in ("gate_proj", "up_proj"):
                shapes[f"{name}.mlp.{part}.weight"] = (text.width, text.hidden)
            shapes[f"{name}.mlp.down_proj.weight"] = (text.hidden, text.width)
    shapes[f"{DECODER}norm.weight"] = (text.hidden,)
    if not text.tied:
        shapes["lm_head.weight"] = (text.vocabulary, text.hidden)
    return shapes


def _attention(name: str, text: Decoder) -> Shapes:
    outputs = {"q_proj": text.heads, "k_proj": text.kv_heads, "v_proj": text.kv_heads}
    shapes: Shapes = {}
    for part, heads in outputs.items():
        shapes |= _linear(f"{name}.{part}", text.hidden, heads * text.head_dim, part in text.biases)
    shapes |= _linear(f"{name}.o_proj", text.heads * text.head_dim, text.hidden, "o_proj" in text.biases)
    if text.normed_heads:
        shapes |= {f"{name}.{part}.weight": (text.head_dim,) for part in ("q_norm", "k_norm")}
    return shapes


def _mixture(name: str, model: Architecture) -> Shapes:
    D, F, E = model.decoder.hidden, model.decoder.width, model.experts
    shapes: Shapes = {f"{name}.router.weight": (E, D)}
    if model.conditioned:
        shapes[f"{name}.router.instruction_weight"] = (E, D)
    return shapes | {f"{name}.experts.gate_up_proj": (E, 2 * F, D), f"{name}.experts.down_proj": (E, D, F)}
