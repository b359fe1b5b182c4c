"""A checkpoint of somebody else's answers once when it is loaded: what is wrong with it is said there and then."""

from __future__ import annotations

from typing import Any

import torch

from skymoe.engine.answering import SkyMoe
from skymoe.engine.opened import opened
from skymoe.engine.rows import Rows
from skymoe.models.trying import QUESTION, grey, part, try_processor


def tried(model: Any, processor: Any, name: str, *, whole: bool) -> SkyMoe:
    """The engine of a model and its processor, after one question about a blank picture.

    Args:
        whole: the model itself is tried, too; else template, tokenizer and picture settings alone.

    Raises:
        UserError: in one line that names the part that fails.
    """
    source = f"model {name!r}"
    try_processor(processor, model.config, model.get_input_embeddings().weight.shape[0], source)
    with part(source, "picture settings", "mend processor_config.json, or fetch it again"):
        engine = SkyMoe(model, processor, name=name)
        tokens, longest = engine.prompter.visual_tokens, engine.prompter.longest
        if not 0 < tokens < longest:
            raise ValueError(f"a picture takes {tokens} tokens, the model reads {longest}")
    with part(source, "chat template", "mend chat_template.jinja"):
        prompt = engine.prompter.prompt([QUESTION])
        if not prompt.question:
            raise ValueError("nothing follows the picture")
    if not whole:
        return engine
    with part(source, "config.json", "mend it and processor_config.json, or fetch them again"):
        with torch.inference_mode():
            prefixes = engine.decoder.remember(
                engine.prefixes.pixels([opened(grey(model.config))]), [0], [prompt]
            )
            rows = Rows(engine.decoder, prefixes, len(prompt.question))
            logits_1V = rows.read([prompt.question])
        if not (logits_1V < torch.inf).all():  # nor is NaN below it; a mixture's words may be impossible
            raise ValueError("the model expects NaN or infinity after a grey picture")
    return engine
