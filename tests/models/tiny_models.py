"""Tiny random models for the tests of models/ and parity/: milliseconds on a CPU, no downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, SkyMoeProcessor

IMAGE_TOKEN, PAD, VOCABULARY, SIDE = 98, 0, 99, 28  # SIDE: pixels; 2 × 2 patches of 14
IMPLEMENTATIONS = ("eager", "batched_mm", "grouped_mm")
WORDS = [
    *("<pad>", "<s>", "</s>", "what", "is", "where", "the", "ship", "tank", "how", "many"),
    *("are", "there", "in", "this", "picture", "user", ":", "assistant"),
]
CHAT = (
    "{% for m in messages %}{{ m['role'] }} : {% for c in m['content'] %}"
    "{{ '<image> ' if c['type'] == 'image' else c['text'] }}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)

TEXT = {
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,  # large, so that routing and greedy answers differ between inputs
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 14,
}


def shared_settings(
    text: dict[str, Any] | None = None, vision: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Arguments that LlavaConfig and SkyMoeConfig have in common."""
    return {
        "text_config": {**TEXT, **(text or {})},
        "vision_config": vision if vision and "image_size" in vision else {**CLIP, **(vision or {})},
        "image_token_index": IMAGE_TOKEN,
        "image_seq_length": 4,
    }


def skymoe_config(
    text: dict[str, Any] | None = None, vision: dict[str, Any] | None = None, **changes: Any
) -> SkyMoeConfig:
    return SkyMoeConfig(**{**shared_settings(text, vision), "num_experts": 4, **changes})


def skymoe(seed: int = 0, experts: str = "eager", **changes: Any) -> SkyMoeForConditionalGeneration:
    torch.manual_seed(seed)
    model = SkyMoeForConditionalGeneration(skymoe_config(**changes)).eval()
    if model.config.num_experts:
        model.set_experts_implementation(experts)
    return model


def question(length: int = 9, seed: int = 0, image_tokens: int = 4) -> Tensor:
    """Token ids (1, length + image_tokens): a start, one picture, then words."""
    words = torch.randint(
        3, IMAGE_TOKEN, (length - 1,), generator=torch.Generator().manual_seed(seed)
    ).tolist()
    return torch.tensor([[1] + [IMAGE_TOKEN] * image_tokens + words])


def pixels(count: int = 1, side: int = SIDE, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def left_padded(questions: list[Tensor]) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask` of questions of different lengths."""
    width = max(q.shape[1] for q in questions)
    ids = torch.cat([torch.nn.functional.pad(q, (width - q.shape[1], 0), value=PAD) for q in questions])
    mask = torch.cat([torch.arange(width)[None] >= width - q.shape[1] for q in questions])
    return {"input_ids": ids, "attention_mask": mask.long()}


def answer_labels(ids: Tensor, answer: int = 4) -> Tensor:
    """Labels that supervise the last `answer` tokens of every row."""
    labels = torch.full_like(ids, -100)
    labels[:, -answer:] = ids[:, -answer:]
    return labels


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate([*WORDS, "<unk>"])}
    vocabulary["<image>"] = IMAGE_TOKEN
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<image>", "<pad>", "<s>", "</s>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def skymoe_processor(side: int = SIDE) -> SkyMoeProcessor:
    square = {"height": side, "width": side}
    pictures = CLIPImageProcessorPil(size=square, crop_size=square, do_center_crop=False)
    return SkyMoeProcessor(
        pictures,
        tokenizer(),
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
        num_additional_image_tokens=1,
    )


def write_llava_processor(folder: Path) -> None:
    """The processor of a LLaVA-1.5 checkpoint: shortest side resized, centre cropped."""
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        pictures,
        tokenizer(),
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
