"""A tiny RS-MoE with random weights, in the vocabulary of the tiny SkyMoE: experts, router and adapters that differ."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig

from engine import tiny_model
from skymoe.models.rsmoe import (
    EXPERT_NAMES,
    EXPERT_TASKS,
    RsMoeConfig,
    RsMoeForConditionalGeneration,
    RsMoeProcessor,
    task_tokens,
)

WORDS = [["port", "farm"], ["ship", "storage tank", "river"], ["near", "beside"]]
QFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.2,
}


@cache
def processor(image_tokens: int) -> RsMoeProcessor:
    ours = tiny_model.shared_processor()
    return RsMoeProcessor(
        ours.image_processor, ours.tokenizer, patch_size=32, vision_feature_select_strategy="full",
        chat_template=ours.chat_template, image_tokens=image_tokens, finding_length=6,
    )  # fmt: skip


def build(
    seed: int = 0, experts: bool = True, **changes: Any
) -> tuple[RsMoeForConditionalGeneration, RsMoeProcessor]:
    """Model and processor; ``experts=False`` is a model of stage I, ``changes`` are fields of the configuration."""
    tokenizer = tiny_model.shared_processor().tokenizer
    text = {
        **tiny_model.TEXT,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "num_hidden_layers": 2,
    }
    settings: dict[str, Any] = {
        "vision_config": CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=96,
            patch_size=32,
        ),
        "qformer_config": QFORMER,
        "text_config": LlamaConfig(**text),
        "image_token_index": tiny_model.shared_processor().image_token_id,
        "num_query_tokens": 3,
        "prompt_length": 2,
        "words_told": 2,
        "finding_length": 6,
        "lora_rank": 3,
        "lora_alpha": 6,
        "router_heads": 4,
        "initializer_range": 0.2,
    }  # fmt: skip
    if experts:
        settings |= {
            "expert_names": list(EXPERT_NAMES),
            "expert_tasks": list(EXPERT_TASKS),
            "prompt_words": WORDS,
        }
    config = RsMoeConfig(**{**settings, **changes})
    ours = processor(config.image_seq_length)
    if experts:
        told = task_tokens(ours, list(config.expert_tasks), [list(words) for words in config.prompt_words])
        for name, value in told.settings().items():
            setattr(config, name, value)
    torch.manual_seed(seed)
    model = RsMoeForConditionalGeneration(config).eval()
    with torch.no_grad():  # as after a training: adapters that do something, experts of unequal weight
        for name, parameter in model.named_parameters():
            if name.endswith("lora_b") or ".router.weight" in name:
                parameter.normal_(std=0.3)
    return model, ours
