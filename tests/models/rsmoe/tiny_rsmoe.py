"""Tiny random RS-MoE models: milliseconds on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import CLIPImageProcessorPil

from skymoe.models.rsmoe import RsMoeConfig, RsMoeForConditionalGeneration, RsMoeProcessor
from skymoe.models.rsmoe.sub_tasks import task_tokens

from ..tiny_models import CHAT, CLIP, IMAGE_TOKEN, PAD, SIDE, TEXT, tokenizer

NAMES = ["theme", "objects", "relations"]
TASKS = [
    "what is this ?[ the {words} .]",
    "what is there ?[ where {words} .]",
    "where is the ship ?[ the {words} .]",
]
WORDS = [["ship", "tank"], ["ship", "picture", "tank"], ["the"]]
QFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.2,
}


def processor(**changes: Any) -> RsMoeProcessor:
    square = {"height": SIDE, "width": SIDE}
    return RsMoeProcessor(
        CLIPImageProcessorPil(size=square, crop_size=square, do_center_crop=False),
        tokenizer(),
        patch_size=14,
        vision_feature_select_strategy="full",
        chat_template=CHAT,
        **{"image_tokens": rsmoe_config().image_seq_length, "finding_length": 5, **changes},
    )


def rsmoe_config(experts: bool = True, **changes: Any) -> RsMoeConfig:
    settings: dict[str, Any] = {
        "vision_config": CLIP,
        "qformer_config": QFORMER,
        "text_config": TEXT,
        "image_token_index": IMAGE_TOKEN,
        "num_query_tokens": 3,
        "prompt_length": 2,
        "words_told": 2,
        "finding_length": 5,
        "lora_rank": 3,
        "lora_alpha": 6,
        "router_heads": 4,
        "initializer_range": 0.2,
    }
    if experts:
        settings |= {"expert_names": NAMES, "expert_tasks": TASKS, "prompt_words": WORDS}
    return RsMoeConfig(**{**settings, **changes})


def rsmoe(seed: int = 0, experts: bool = True, **changes: Any) -> RsMoeForConditionalGeneration:
    """With experts: adapters and weights that differ, as after a training."""
    config = rsmoe_config(experts, **changes)
    if experts:
        made = task_tokens(
            processor(), list(config.expert_tasks), [list(some) for some in config.prompt_words]
        )
        for name, value in made.settings().items():
            setattr(config, name, value)
    torch.manual_seed(seed)
    model = RsMoeForConditionalGeneration(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("lora_b") or ".router.weight" in name:
                parameter.normal_(std=0.3, generator=generator)
    return model


def prompt(config: RsMoeConfig, words: int = 5, seed: int = 0) -> Tensor:
    """Token ids (1, S): a start, the picture's places, then words."""
    generator = torch.Generator().manual_seed(seed)
    said = torch.randint(3, 19, (words,), generator=generator).tolist()
    return torch.tensor([[1] + [IMAGE_TOKEN] * config.image_seq_length + said])


def instruction(words: int = 4, seed: int = 0) -> Tensor:
    """Instruction ids (1, I)."""
    return torch.randint(3, 19, (1, words), generator=torch.Generator().manual_seed(100 + seed))


def right_padded(rows: list[Tensor]) -> dict[str, Tensor]:
    """`instruction_ids` and `instruction_mask` of instructions of different lengths."""
    width = max(row.shape[1] for row in rows)
    ids = torch.cat([torch.nn.functional.pad(row, (0, width - row.shape[1]), value=PAD) for row in rows])
    mask = torch.cat([(torch.arange(width)[None] < row.shape[1]).long() for row in rows])
    return {"instruction_ids": ids, "instruction_mask": mask}
