"""A LLaVA checkpoint in small, with random weights: what the recipes of SkyMoE-7B can be rehearsed on, on any computer.

python examples/training/small_llava.py FOLDER

Its parts are those of llava-hf/llava-1.5-7b-hf: a CLIP tower, an adaptor of two layers, a Llama decoder. It knows
nothing, and brings the tokenizer of nano.
"""

from __future__ import annotations

import sys

import torch
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.utils import logging

from skymoe.engine.checkpoint import find

SIDE, PATCH = 56, 14


def main(folder: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(find("nano"))
    config = LlavaConfig(
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
            "max_position_embeddings": 1024, "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "model_type": "clip_vision_model", "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3,
            "num_attention_heads": 4, "image_size": SIDE, "patch_size": PATCH,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
    )  # fmt: skip
    logging.disable_progress_bar()
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template="{{ bos_token }}",  # the recipe gives it Vicuna's
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    print(f"{folder}: {sum(one.numel() for one in model.parameters()):,} parameters")


if __name__ == "__main__":
    main(*sys.argv[1:])
