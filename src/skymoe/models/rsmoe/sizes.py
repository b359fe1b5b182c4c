"""RS-MoE-1B, -3B and -7B as configurations, and what a model's parameters belong to. No network, no weights.

From the public `config.json` of meta-llama/Llama-3.2-1B and -3B and llava-hf/llava-1.5-7b-hf (Vicuna-7B with room for
the image token), and the library's defaults for InstructBLIP's ViT-g/14 and Q-Former. What the paper leaves open
(lengths of prompts and findings, rank of the adapters) is ours.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from skymoe.errors import UserError

from .configuration_rsmoe import EXPERT_NAMES, EXPERT_TASKS, RsMoeConfig

_LLAMA3: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128256,
    "intermediate_size": 8192,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "rope_parameters": {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
# Llama 3's first reserved token stands for the picture: its vocabulary need not grow.
_LLAMA3_IMAGE, _LLAVA_IMAGE = 128002, 32000
SIZES: dict[str, tuple[dict[str, Any], int]] = {
    "rs-moe-1b": (
        {
            **_LLAMA3,
            "hidden_size": 2048,
            "num_hidden_layers": 16,
            "num_attention_heads": 32,
            "head_dim": 64,
        },
        _LLAMA3_IMAGE,
    ),
    "rs-moe-3b": (
        {
            **_LLAMA3,
            "hidden_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 24,
            "head_dim": 128,
        },
        _LLAMA3_IMAGE,
    ),
    "rs-moe-7b": (
        {
            "model_type": "llama",
            "vocab_size": 32064,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-5,
            "pad_token_id": 0,
        },
        _LLAVA_IMAGE,
    ),
}
"""For each name the decoder's configuration and its image token."""


def known_config(name: str, *, experts: bool = True, **changes: Any) -> RsMoeConfig:
    """The configuration of "rs-moe-1b", "-3b" or "-7b"; `experts=False` is its stage I.

    Raises:
        UserError: for another name.
    """
    if name not in SIZES:
        raise UserError(f"unknown size {name!r}: choose {', '.join(SIZES)}")
    text, image_token = SIZES[name]
    settings: dict[str, Any] = {
        "vision_config": {"model_type": "instructblip_vision_model"},
        "qformer_config": {},
        "text_config": text,
        "image_token_index": image_token,
        "num_query_tokens": 32,
        "prompt_length": 8,
        "words_told": 8,
        "finding_length": 32,
        "lora_rank": 16,
        "lora_alpha": 32,
    }
    if experts:
        settings |= {"expert_names": list(EXPERT_NAMES), "expert_tasks": list(EXPERT_TASKS)}
    return RsMoeConfig(**{**settings, **changes})


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Parameters of an `RsMoeForConditionalGeneration` by part: "tower", "encoder" (Q-Former, queries, projection),
    "router", "adapters" (of all experts), "decoder" (shared by them, with its head), and their "total"."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():  # a head tied to the embeddings comes once
        part = "encoder"
        if ".lora_" in name:
            part = "adapters"
        elif ".router." in name:
            part = "router"
        elif ".vision_tower." in name:
            part = "tower"
        elif ".language_model." in name or name.startswith("lm_head"):
            part = "decoder"
        counts[part] += parameter.numel()
    parts = {part: counts[part] for part in ("tower", "encoder", "router", "adapters", "decoder")}
    return {**parts, "total": sum(parts.values())}


__all__ = ["SIZES", "known_config", "parameter_counts"]
