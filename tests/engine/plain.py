"""The same answers the plain Transformers way: one picture, one question, the whole prompt, nothing remembered."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from skymoe.engine import SkyMoe
from skymoe.engine.speaking import LENGTH_PENALTY
from skymoe.tasks import Query, get_task


def inputs(engine: SkyMoe, picture: Image.Image, question: str | Query) -> dict[str, Tensor]:
    if isinstance(question, Query):
        messages = get_task(question.task).messages(question)
    else:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = engine.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return dict(engine.processor(images=picture, text=text, return_tensors="pt", add_special_tokens=False))


@torch.inference_mode()
def generate(
    engine: SkyMoe, picture: Image.Image, question: str | Query, **options: Any
) -> tuple[str, list[int], Any]:
    """Text, tokens and everything else `generate` tells."""
    given = inputs(engine, picture, question)
    if options.get("num_beams", 1) > 1:
        options = {"length_penalty": LENGTH_PENALTY, **options}
    out = engine.model.generate(
        **given, do_sample=False, output_scores=True, return_dict_in_generate=True, **options
    )  # fmt: skip
    tokens = out.sequences[0, given["input_ids"].shape[1] :].tolist()
    said = [token for token in tokens if token not in engine.stop]
    return engine.processor.tokenizer.decode(said, skip_special_tokens=True).strip(), tokens, out
