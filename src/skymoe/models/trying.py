"""A stranger's processor is tried out before it is used: template, tokenizer and settings of pictures.

A chat template is a program, and the rest are numbers that anybody may have written: they can fail in as many ways as
code can, and do so in the middle of the first answer. What would take memory or time without end is ruled out first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import torch
from PIL import Image

from skymoe.errors import UserError

from .weight_files import one_line

# Templates of language models with tools have some ten thousand characters.
LONGEST_TEMPLATE = 100_000
# What a template may write around a question of one letter: system prompts have some thousand characters.
LONGEST_FRAME = 100_000
LARGEST_SIDE = 8192
TEMPLATE_SECONDS = 5.0
# How many characters a normaliser may make of one.
MOST_GROWTH = 1000
QUESTION = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "a"}]}
"""The shortest question on a picture, in the chat format."""
_ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "a"}]}


def try_processor(processor: Any, config: Any, rows: int, source: str) -> None:
    """One question, with and without its answer, and one grey picture go through a processor.

    Args:
        config: of the model that it belongs to.
        rows: tokens that the model has embeddings for.
        source: the model in words, for messages.

    Raises:
        UserError: in one line that names the part that fails.
    """
    with part(source, "chat template", "mend chat_template.jinja"):
        _check_template(processor.chat_template)
    with part(source, "tokenizer", "mend tokenizer.json, or fetch it again"):
        _check_tokenizer(processor.tokenizer, rows)
    with part(source, "picture settings", "mend processor_config.json, or fetch it again"):
        _check_sides(processor.image_processor)
        with np.errstate(all="ignore"):  # what comes of it is looked at
            pixels = processor.image_processor(images=[grey(config)], return_tensors="pt")["pixel_values"]
        if not torch.isfinite(torch.as_tensor(pixels)).all():
            raise ValueError("a grey picture becomes NaN or infinity")
    with part(source, "chat template", "mend chat_template.jinja"):
        for turns, asks in (([QUESTION, _ANSWER], False), ([QUESTION], True)):
            with _ends_within(TEMPLATE_SECONDS):
                text = processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=asks)
            if len(text) > LONGEST_FRAME:
                raise ValueError(f"it writes {len(text)} characters around a question of one letter")
            written = processor.tokenizer(text)["input_ids"].count(processor.image_token_id)
            if written != 1:
                raise ValueError(f"it writes {processor.image_token} {written} times for one picture")
    with part(source, "config.json", "mend it and processor_config.json, or fetch them again"):
        _check_config(config, processor.image_token_id)


@contextmanager
def part(source: str, part: str, remedy: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes one line about that part of the model."""
    try:
        yield
    except (ImportError, torch.OutOfMemoryError):
        raise
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    except Exception as error:  # a program of somebody else's may raise anything
        raise UserError(f"{source}: its {part} cannot be used ({one_line(error)}): {remedy}") from error


def _check_template(template: Any) -> None:
    for text in template.values() if isinstance(template, dict) else [template]:
        if len(text) > LONGEST_TEMPLATE:
            raise ValueError(f"it has {len(text)} characters, more than {LONGEST_TEMPLATE}")


def _check_tokenizer(tokenizer: Any, rows: int) -> None:
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest >= rows:
        raise ValueError(f"it knows a token of number {largest}, the model has {rows} of them, from 0")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and backend.normalizer is not None:
        growth = _growth(json.loads(backend.normalizer.__getstate__()))
        if growth > MOST_GROWTH:
            raise ValueError(f"its normaliser makes up to {growth} characters of one")


def _growth(normalizer: dict[str, Any]) -> int:
    """How many characters a normaliser's texts could make of one, one step after the other."""
    growth = max(1, *(len(str(normalizer.get(key, ""))) for key in ("content", "prepend")))
    for part in normalizer.get("normalizers", []):
        growth *= _growth(part)
    return growth


def _check_sides(pictures: Any) -> None:
    for key in ("size", "crop_size", "pad_size"):
        value = getattr(pictures, key, None)
        sides = [value] if isinstance(value, int | str) else dict(value or {}).values()
        for side in sides:
            if side is not None and not (isinstance(side, int) and 0 < side <= LARGEST_SIDE):
                raise ValueError(f"{key} says {side!r}, which is no number of pixels up to {LARGEST_SIDE}")


def grey(config: Any) -> Image.Image:
    """As large as the tower wants it, since a processor need not resize."""
    side = getattr(getattr(config, "vision_config", None), "image_size", None)
    side = side if isinstance(side, int) and 0 < side <= LARGEST_SIDE else 32
    return Image.new("RGB", (side, side), "gray")


def _check_config(config: Any, image_token_id: int) -> None:
    told = getattr(config, "image_token_id", getattr(config, "image_token_index", image_token_id))
    if told != image_token_id:
        raise ValueError(f"it says token {told} for a picture, the processor {image_token_id}")
    depth = getattr(getattr(config, "vision_config", None), "num_hidden_layers", None)
    layers = getattr(config, "vision_feature_layer", None)
    if isinstance(depth, int) and layers is not None:
        for layer in layers if isinstance(layers, list | tuple) else [layers]:
            if not -depth - 1 <= layer <= depth:
                raise ValueError(f"vision_feature_layer is {layer}, its tower has {depth} layers")


@contextmanager
def _ends_within(seconds: float) -> Iterator[None]:
    """Loops of Python code that last longer end in a TimeoutError, in any thread and on any system."""
    deadline = time.monotonic() + seconds
    before = sys.gettrace()

    def late(frame: FrameType, event: str, told: object) -> Any:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it has not ended after {seconds:.0f} s")
        return late

    sys.settrace(late)
    try:
        yield
    finally:
        sys.settrace(before)
