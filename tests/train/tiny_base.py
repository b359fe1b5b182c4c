"""A LLaVA checkpoint of a few thousand random weights with a tokenizer of Llama's kind, a small corpus, and recipes on
them: everything that the shipped recipes need, in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image, ImageDraw
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from skymoe.data.corpus.build import build
from skymoe.data.corpus.recipe import CorpusRecipe
from skymoe.train.recipe import Recipe

SIDE, PATCH = 28, 14
TEXTS = [
    "A chat between a curious user and an artificial intelligence assistant. USER: ASSISTANT:",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "How many storage tanks are there in this image? Answer with a number.",
    "Describe this image in one sentence. Which scene does this image belong to?",
    "[refer] Where is <p> the top left storage tank </p>? {<12><30><45><60>}",
    "yes no two tanks stand in picture user assistant 0 1 2 3 4 5 6 7 8 9",
]
# As the checkpoints of the hub have it: no end token after the answer.
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] if content['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] if content['type'] == 'text' %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def llama_tokenizer(extra: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """BPE whose pieces begin with ▁, bytes for what it does not know, <s> before every text."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    special = ["<unk>", "<s>", "</s>", "<pad>", "<image>", *extra]
    backend.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
            show_progress=False,
        ),
    )
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def write_llava(
    folder: Path,
    seed: int = 0,
    *,
    text: dict[str, Any] | None = None,
    vision: dict[str, Any] | None = None,
    before_patches: int = 1,
) -> Path:
    """LLaVA-1.5 in small, as the hub's files are: 28 px, 2 × 2 patches, four decoder layers.

    `text` and `vision` change what the two are, `before_patches` says how many tokens the tower gives before those of
    its patches; the first of them is dropped.
    """
    tokenizer = llama_tokenizer()
    config = LlavaConfig(
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
            "max_position_embeddings": 512, "initializer_range": 0.1, "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": 1, "eos_token_id": 2, **(text or {}),
        },
        vision_config={
            "model_type": "clip_vision_model", "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3,
            "num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH, **(vision or {}),
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4 + max(before_patches - 1, 0),
        vision_feature_select_strategy="default" if before_patches else "full",
    )  # fmt: skip
    torch.manual_seed(seed)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        chat_template=LLAVA_TEMPLATE,
        num_additional_image_tokens=before_patches,
    ).save_pretrained(folder)
    return folder


def write_samples(folder: Path, number: int = 8) -> Path:
    """Our own form of data: pictures with two tanks, a caption, a scene."""
    (folder / "pictures").mkdir(parents=True)
    lines = []
    for place in range(number):
        picture = Image.frombytes("RGB", (8, 8), Random(place).randbytes(192)).resize((96, 96))
        ImageDraw.Draw(picture).ellipse((8, 8, 28, 28), fill=(240, 240, 240))
        picture.save(folder / "pictures" / f"{place}.png")
        lines.append(
            {"id": f"s/{place}", "image": f"pictures/{place}.png", "source": "drawn", "split": "train",
             "licence": "CC0-1.0", "width": 96, "height": 96, "label": "port", "labels": ["port", "forest"],
             "captions": [f"picture {place} shows two tanks" + " and a road" * (place % 4) + "."],
             "regions": [{"name": "storage tank", "box": [8, 8, 28, 28]},
                         {"name": "storage tank", "box": [60, 64, 92, 92]}],
             "complete": ["storage tank"], "absent": ["ship"]}
        )  # fmt: skip
    (folder / "samples.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    return folder


def write_corpus(folder: Path, samples: Path, **changes: Any) -> Path:
    """What `skymoe data build` makes of them."""
    made = {
        "name": "small", "seed": 5, "output": folder, "tasks": {"caption": 1, "classify": 1, "count": 1, "ground": 1},
        "sources": [{"name": "samples", "root": str(samples)}], **changes,
    }  # fmt: skip
    build(CorpusRecipe.model_validate(made), workers=1)
    return folder


def recipe(output: Path, base: Path, samples: Path, *stages: dict[str, Any], **changes: Any) -> Recipe:
    """A recipe on a base and on samples asked in our words, in float32 and without workers."""
    common = {"batch_size": 4, "learning_rate": 1e-3, "save_every": 2, "log_every": 1}
    return Recipe.model_validate(
        {
            "name": "tiny", "seed": 5, "output": output, "precision": "fp32", "workers": 0,
            "base": {"model": str(base), "image_size": 42, "template": "vicuna"},
            "data": {
                "sources": [{"name": "samples", "root": samples}],
                "questions": {"caption": 1, "classify": 1, "count": 1, "ground": 1},
            },
            "stages": [{**common, **stage} for stage in stages],
            **changes,
        }
    )  # fmt: skip


def losses(output: Path, stage: str) -> list[tuple[int, float, float]]:
    """Step, loss and gradient norm of every step that a stage logged."""
    lines = [json.loads(line) for line in (output / stage / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["grad_norm"]) for line in lines if "loss" in line]
