"""A tiny SkyMoE with random weights and a real, small vocabulary: every part of nano, in a second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import torch

from skymoe.models.efficientnet_lite import EfficientNetLiteConfig
from skymoe.models.skymoe import SkyMoeForConditionalGeneration, SkyMoeProcessor
from skymoe.tasks import TASKS, Query
from skymoe.tasks.labels import TRAINED_LABELS
from skymoe.train.nano import build_config, build_processor
from skymoe.train.recipe import Model

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,
}


def texts() -> Iterator[str]:
    for number in range(30):
        for name, task in TASKS.items():
            yield task.prompt(Query(name, "is there a large storage tank"), Random(number))
    yield from TRAINED_LABELS * 3
    yield from ["yes", "no", "a port with many ships beside two storage tanks ."] * 3


@cache
def shared_processor() -> SkyMoeProcessor:
    return build_processor(texts(), 700, image_size=96)


VISION = EfficientNetLiteConfig(
    object_grid=True, summary_token=True, scene_lists=[["port", "farm"]], words=["ship", "red"]
)


def build(seed: int = 0, **changes: Any) -> tuple[SkyMoeForConditionalGeneration, SkyMoeProcessor]:
    """Model and processor; ``changes`` are fields of the configuration."""
    processor = shared_processor()
    config = build_config(Model(vision_weights="-", vocabulary=700, text=TEXT), processor, VISION)
    config.num_experts = 4
    # A head of its own: a tied one makes an untrained model repeat its last token for ever.
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = False
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(seed)
    model = SkyMoeForConditionalGeneration(config).eval()
    with torch.no_grad():
        for router in model.model.routers():
            if router.instruction_weight is not None:
                torch.nn.init.normal_(router.instruction_weight, std=2.0)
    return model, processor


def end_often(model: SkyMoeForConditionalGeneration, seed: int = 0) -> None:
    """Let a sixteenth of the vocabulary end an answer, so that an untrained model's answers have all lengths."""
    size = model.config.text_config.vocab_size
    ends = Random(seed).sample(range(300, size), size // 16)
    model.generation_config.eos_token_id = [model.config.text_config.eos_token_id, *ends]
