"""Tiny random models of other kinds as checkpoints: LLaVA-like and Qwen2.5-VL-like, in a second, nothing downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from skymoe.tasks import TASKS, Query

LLAVA_CHAT = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
QWEN_CHAT = LLAVA_CHAT.replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
SPECIAL = (
    "<pad>",
    "<s>",
    "</s>",
    "<image>",
    "<|vision_start|>",
    "<|image_pad|>",
    "<|vision_end|>",
    "<|video_pad|>",
)
TEXT: dict[str, Any] = {
    "vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024, "initializer_range": 0.3, "tie_word_embeddings": False,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


@cache
def vocabulary() -> str:
    def texts() -> Iterator[str]:
        for name, task in TASKS.items():
            yield task.prompt(Query(name, "is there a large storage tank"))
        yield "user: assistant: yes no 0123456789 [1, 2, 3, 4]"

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts(), trainers.BpeTrainer(vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    )
    return tokenizer.to_str()


def words() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(vocabulary()), bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        additional_special_tokens=[name for name in SPECIAL if not re.fullmatch(r"</?s>|<pad>", name)],
    )  # fmt: skip


def llava() -> tuple[Any, Any]:
    vision = {
        "model_type": "clip_vision_model", "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    tokenizer = words()
    config = LlavaConfig(
        text_config={"model_type": "llama", **TEXT}, vision_config=vision, image_seq_length=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), vision_feature_layer=-1,
    )  # fmt: skip
    torch.manual_seed(0)
    size = {"height": 28, "width": 28}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False), tokenizer=tokenizer,
        patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1, image_token="<image>",
        chat_template=LLAVA_CHAT,
    )  # fmt: skip
    return _sayable(LlavaForConditionalGeneration(config)), processor


class PicturesOnly(Qwen2_5_VLProcessor):
    """Without the part for videos, which would need torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        if argument_name == "video_processor":
            return None
        return super().check_argument_for_proper_class(argument_name, argument)


def qwen() -> tuple[Any, Any]:
    tokenizer = words()
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in names}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": rope},
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"], vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"], tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    pictures = Qwen2VLImageProcessorPil(min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 16)
    processor = PicturesOnly(image_processor=pictures, tokenizer=tokenizer, chat_template=QWEN_CHAT)
    return _sayable(Qwen2_5_VLForConditionalGeneration(config)), processor


def _sayable(model: Any) -> Any:
    """Ends often, so that answers have all lengths; and ships settings that sample, as many checkpoints do."""
    model.generation_config.eos_token_id = [2, *range(300, 330)]
    model.generation_config.pad_token_id = 0
    model.generation_config.update(do_sample=True, temperature=0.7, top_p=0.8, top_k=20)
    return model.eval()


def save(folder: Path) -> Path:
    """The LLaVA-like one as a checkpoint's directory."""
    model, processor = llava()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
