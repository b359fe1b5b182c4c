"""Which experts fired: the routers' choices while a picture is read and an answer is given.

Shapes: S tokens of the whole sequence, E experts, K choices per token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from skymoe.engine.answering import One, SkyMoe
from skymoe.engine.opened import opened
from skymoe.models.moe import expert_load, record_routing
from skymoe.tasks import Query, get_task


@dataclass(frozen=True)
class LayerRouting:
    """One mixture layer. Loads are each expert's share of all choices and sum to 1.

    ``picture_map`` has the first choice for every visual token, row by row as the tokens lie in the picture.
    """

    layer: int
    picture_load: tuple[float, ...]
    answer_load: tuple[float, ...]
    picture_map: tuple[tuple[int, ...], ...]


@torch.inference_mode()
def trace(model: SkyMoe, image: One, query: Query, text: str) -> list[LayerRouting]:
    """The routing of every mixture layer while ``text`` is given as the answer; empty for a dense model."""
    messages = get_task(query.task).messages(query)
    prompt = model.prompter.prompt(messages)
    (answer,) = model.prompter.answers(messages, (text,), min(model.stop))
    sequence = (*prompt.tokens, *answer[:-1])
    with record_routing() as logits:
        embeds_1SD = model.prefixes.embed([opened(image)], [sequence])
        model.decoder.hidden(embeds_1SD, model.prefixes.instruction([prompt]))
    tokens = torch.tensor(sequence, device=model.decoder.device)
    visual = tokens == model.prompter.image_id
    # The tokens whose outputs the answer is read from: the last one of the prompt and the answer's own.
    speaking = torch.arange(len(tokens), device=tokens.device) >= len(prompt.tokens) - 1
    if not logits:
        return []
    config = model.model.config
    top_k = config.num_experts_per_tok
    side = math.isqrt(int(visual.sum()))
    found = []
    for layer, logits_SE in zip(config.expert_layers, logits, strict=True):
        first = logits_SE[visual].argmax(dim=-1).tolist()
        first = first[len(first) - side * side :]  # a token for the whole picture comes before the cells
        found.append(
            LayerRouting(
                layer,
                tuple(expert_load(logits_SE, top_k, visual).tolist()),
                tuple(expert_load(logits_SE, top_k, speaking).tolist()),
                tuple(tuple(first[start : start + side]) for start in range(0, len(first), side)),
            )
        )
    return found
