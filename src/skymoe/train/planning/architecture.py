"""The dimensions of a SkyMoE model, read from its configuration as plain JSON, so that planning loads no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skymoe.errors import UserError

Shapes = dict[str, tuple[int, ...]]

# What a configuration file leaves out because the library knows it (Transformers 5; a test compares).
TEXT_DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008},
    "mistral": {
        "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_key_value_heads": 8,
    },
    "qwen2": {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_key_value_heads": 32,
    },
    "qwen3": {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_key_value_heads": 32,
        "head_dim": 128,
    },
}  # fmt: skip
VISION_DEFAULTS: dict[str, dict[str, Any]] = {
    "clip_vision_model": {"patch_size": 32},
    "siglip_vision_model": {"patch_size": 16, "vision_use_head": True},
}


@dataclass(frozen=True, slots=True)
class Decoder:
    """A Llama-like decoder. `biases` names the attention projections that have one."""

    kind: str
    vocabulary: int
    hidden: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool = False
    biases: tuple[str, ...] = ()
    normed_heads: bool = False  # Qwen3 normalises queries and keys

    @property
    def known(self) -> bool:
        return self.kind in TEXT_DEFAULTS


@dataclass(frozen=True, slots=True)
class Tower:
    """A vision tower: a transformer on patches where `known`; of any other only what the adaptor sees is known."""

    kind: str
    image_size: int
    patch: int
    hidden: int
    width: int = 0
    layers: int = 0
    heads: int = 1
    pooling_head: bool = False
    unused_layers: int = 0  # behind the one whose features are taken; they run, but learn nothing

    @property
    def known(self) -> bool:
        return self.kind in VISION_DEFAULTS

    @property
    def patches(self) -> int:
        return (self.image_size // self.patch) ** 2

    @property
    def tokens(self) -> int:
        """Tokens that the tower computes: its patches, and CLIP's class token."""
        return self.patches + (self.kind == "clip_vision_model")


@dataclass(frozen=True, slots=True)
class Architecture:
    """Everything that parameters, memory and arithmetic follow from. `image_tokens`: of one picture in the decoder."""

    name: str
    decoder: Decoder
    tower: Tower
    image_tokens: int
    projector_bias: bool = True
    feature_layers: int = 1
    experts: int = 0
    top_k: int = 0
    expert_layers: tuple[int, ...] = ()
    conditioned: bool = False
    config: Mapping[str, Any] | None = None  # the whole configuration, for what only the real model can tell

    @property
    def described(self) -> str:
        """In a few words."""
        if not self.experts:
            return "dense"
        layers = f"{len(self.expert_layers)} of {self.decoder.layers} layers"
        return f"{self.experts} experts in {layers}, {self.top_k} for a token"

    def with_experts(self, experts: int, top_k: int = 2, interval: int = 2, offset: int = 0) -> Architecture:
        """The same model with other experts; 0 is the dense model of stage I."""
        layers = tuple(range(offset, self.decoder.layers, interval)) if experts else ()
        if experts and not 1 <= top_k <= experts:
            raise UserError(f"top_k={top_k} must lie between 1 and experts={experts}")
        if experts and not layers:
            raise UserError(f"offset={offset} leaves no expert layer among {self.decoder.layers}: lower it")
        config = dict(self.config or {})
        config |= {"num_experts": experts, "num_experts_per_tok": top_k, "moe_layers": None}
        config |= {"moe_layer_interval": interval, "moe_layer_offset": offset}
        return replace(
            self, experts=experts, top_k=top_k if experts else 0, expert_layers=layers, config=config
        )


def read_architecture(path: Path, name: str | None = None) -> Architecture:
    """From a config.json or the folder of a checkpoint that holds one."""
    config, called = read_config(path)
    return architecture(config, name or called)


def read_config(path: Path) -> tuple[dict[str, Any], str]:
    """The same as a dictionary, and what the folder is called.

    Raises:
        UserError: there is none, or it is none.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} has no config.json: give a checkpoint's folder or its config.json") from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file} cannot be read as JSON ({' '.join(str(error).split())})") from None
    if not isinstance(config, dict):
        raise UserError(f"{file} is no model configuration: a mapping of names to values is needed")
    return config, path.name if path.is_dir() else path.resolve().parent.name


def architecture(config: Mapping[str, Any], name: str) -> Architecture:
    """From the configuration of a 'skymoe' or dense 'llava' model as a dictionary (`SkyMoeConfig.to_dict()`).

    Raises:
        UserError: another kind of model, or a value that cannot be.
    """
    kind = config.get("model_type")
    if kind not in ("skymoe", "llava"):
        raise UserError(f"{name} is a {kind!r} model: plan a 'skymoe' or 'llava' configuration")
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    decoder = decoder_of(text, name, bool(config.get("tie_word_embeddings", False)))
    layer = config.get("vision_feature_layer", -2)
    tower = _tower(vision, name, layer if isinstance(layer, int) else max(layer))
    dropped = config.get("vision_feature_select_strategy", "default") == "default"
    extra = int(bool(vision.get("summary_token")))
    image_tokens = tower.tokens + extra - dropped
    if tower.kind not in VISION_DEFAULTS and config.get("image_seq_length"):
        image_tokens = int(config["image_seq_length"])
    experts = 0 if kind == "llava" else int(config.get("num_experts", 8))
    layers: tuple[int, ...] = ()
    if experts:
        chosen = config.get("moe_layers")
        if chosen is None:
            first, step = int(config.get("moe_layer_offset", 0)), int(config.get("moe_layer_interval", 2))
            chosen = range(first, decoder.layers, step)
        layers = tuple(sorted(set(chosen)))
    return Architecture(
        name=name,
        decoder=decoder,
        tower=tower,
        image_tokens=image_tokens,
        projector_bias=bool(config.get("multimodal_projector_bias", True)),
        feature_layers=1 if isinstance(layer, int) else len(layer),
        experts=experts,
        top_k=int(config.get("num_experts_per_tok", 2)) if experts else 0,
        expert_layers=layers,
        conditioned=config.get("router_conditioning") == "instruction",
        config=config,
    )


def decoder_of(text: Mapping[str, Any], name: str, tied: bool) -> Decoder:
    """From a `text_config` as a dictionary; `tied`: the head is the embeddings."""
    kind = str(text.get("model_type", "llama"))
    values = {"num_hidden_layers": 32, "num_attention_heads": 32, **TEXT_DEFAULTS.get(kind, {}), **text}
    try:
        heads = int(values["num_attention_heads"])
        biases: tuple[str, ...] = ()
        if kind == "qwen2":
            biases = ("q_proj", "k_proj", "v_proj")
        elif values.get("attention_bias"):
            biases = ("q_proj", "k_proj", "v_proj", "o_proj")
        return Decoder(
            kind=kind,
            vocabulary=int(values["vocab_size"]),
            hidden=int(values["hidden_size"]),
            width=int(values["intermediate_size"]),
            layers=int(values["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(values.get("num_key_value_heads") or heads),
            head_dim=int(values.get("head_dim") or int(values["hidden_size"]) // heads),
            tied=tied,
            biases=biases,
            normed_heads=kind == "qwen3",
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{name}: its text_config ({kind}) lacks or garbles {error}") from None


def _tower(vision: Mapping[str, Any], name: str, feature_layer: int) -> Tower:
    kind = str(vision.get("model_type", "clip_vision_model"))
    known = VISION_DEFAULTS.get(kind, {})
    values = {"image_size": 224, "num_hidden_layers": 12, "num_attention_heads": 12, **known, **vision}
    if kind in VISION_DEFAULTS:
        values = {"hidden_size": 768, "intermediate_size": 3072, **values}
    try:
        layers = int(values["num_hidden_layers"]) if kind in VISION_DEFAULTS else 0
        behind = -1 - feature_layer if feature_layer < 0 else layers - feature_layer
        return Tower(
            kind=kind,
            image_size=int(values["image_size"]),
            patch=int(values.get("patch_size", 32)),
            hidden=int(values.get("hidden_size", 0)),
            width=int(values.get("intermediate_size", 0)),
            layers=layers,
            unused_layers=max(0, min(layers, behind)),
            heads=int(values["num_attention_heads"]),
            pooling_head=bool(values.get("vision_use_head", False)),
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: its vision_config ({kind}) cannot be read ({error})") from None


__all__ = [
    "Architecture",
    "Decoder",
    "Shapes",
    "Tower",
    "architecture",
    "decoder_of",
    "read_architecture",
    "read_config",
]
