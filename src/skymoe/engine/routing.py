"""Which experts fired: the routers' choices while a picture is read and an answer is given.

Shapes: L mixture layers, S tokens of the whole sequence, E experts, K choices per token, N visual tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from skymoe.engine.answering import One, SkyMoe
from skymoe.engine.opened import opened
from skymoe.engine.prompting import Messages, Prompter
from skymoe.engine.single import SingleDecoder
from skymoe.models.moe import expert_load, record_routing
from skymoe.tasks import Query, get_task

PARTS = ("opening", "summary", "picture", "question", "closing", "answer")
"""The parts of a sequence, as they follow each other. *Opening* is what stands before the picture; *summary* the
visual tokens for the picture as a whole (CLIP's class token, nano's summary) before its cells, the *picture*; *closing*
the template's tokens after the question, the same whatever is asked: the last of them begins the answer."""


@dataclass(frozen=True)
class Routed:
    """The routing of one question on one picture while an answer is given.

    ``part_of`` (S,) has each token's place in `PARTS`, ``logits`` (L, S, E) what the routers said (float32, CPU),
    ``layers`` the decoder layers they belong to. The last token of the answer, which ends it, is said but not read.
    """

    layers: tuple[int, ...]
    top_k: int
    side: int
    tokens: tuple[int, ...]
    part_of: Tensor
    logits: Tensor

    def within(self, *parts: str) -> Tensor:
        """Which tokens (S,) belong to these parts."""
        return torch.isin(self.part_of, torch.tensor([PARTS.index(part) for part in parts]))

    def maps(self) -> list[tuple[tuple[int, ...], ...]]:
        """For every layer the first choice of each cell of the picture, row by row."""
        first_LN = self.logits[:, self.within("picture")].argmax(dim=-1).tolist()
        side = self.side
        return [tuple(tuple(row[n : n + side]) for n in range(0, len(row), side)) for row in first_LN]


@torch.inference_mode()
def route(
    model: SkyMoe,
    images: Sequence[One],
    queries: Sequence[Query],
    texts: Sequence[str],
    wordings: Sequence[Random | None] | None = None,
) -> list[Routed]:
    """The routing of questions, pairwise with pictures, while ``texts`` are given as answers; one pass for all.

    ``wordings`` draw how each question is put (None: the canonical wording). Empty where the decoder has no mixture
    layers: a dense model, or RS-MoE, whose experts are whole decoders.
    """
    config: Any = model.model.config
    decoder = model.decoder
    if not isinstance(decoder, SingleDecoder) or not getattr(config, "num_experts", 0) or not queries:
        return []
    # The same picture in several questions passes through the tower once.
    seen = {key: opened(one) for key, one in {id(one): one for one in images}.items()}
    places = {key: place for place, key in enumerate(seen)}
    sequences, parts, prompts = [], [], []
    for query, text, rng in zip(queries, texts, wordings or [None] * len(queries), strict=True):
        messages = get_task(query.task).messages(query, rng)
        prompt = model.prompter.prompt(messages)
        (answer,) = model.prompter.answers(messages, (text,), min(model.stop))
        prompts.append(prompt)
        sequences.append((*prompt.tokens, *answer[:-1]))
        parts.append(_parts(model.prompter, prompt.tokens, len(prompt.question), len(answer) - 1))
    longest = max(map(len, sequences))
    device = decoder.device
    # Filled up at the end: nothing looks ahead, so what is there does not see it.
    ids_BS = torch.tensor([[*s, *[s[-1]] * (longest - len(s))] for s in sequences], device=device)
    visual_BS = torch.zeros_like(ids_BS, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        visual_BS[row, : len(sequence)] = ids_BS[row, : len(sequence)] == model.prompter.image_id
    embeds_BSD = decoder.embed(ids_BS)
    pixels = model.prefixes.pixels(list(seen.values()))
    features = list(model.model.get_image_features(pixel_values=pixels).pooler_output)
    told = torch.cat([features[places[id(one)]] for one in images])
    embeds_BSD[visual_BS] = told.to(embeds_BSD.dtype)
    with record_routing() as recorded:
        decoder.through(embeds_BSD, decoder.instruction(prompts))
    logits_BLSE = (
        torch.stack([one.float().cpu() for one in recorded]).unflatten(1, ids_BS.shape).transpose(0, 1)
    )
    side = math.isqrt(model.prompter.visual_tokens)
    return [
        Routed(
            tuple(config.expert_layers),
            config.num_experts_per_tok,
            side,
            sequence,
            parts[row],
            logits_BLSE[row, :, : len(sequence)],
        )
        for row, sequence in enumerate(sequences)
    ]


@dataclass(frozen=True)
class LayerRouting:
    """One mixture layer. Loads are each expert's share of all choices and sum to 1.

    ``picture_map`` has the first choice for every cell of the picture, row by row as they lie in it.
    """

    layer: int
    picture_load: tuple[float, ...]
    answer_load: tuple[float, ...]
    picture_map: tuple[tuple[int, ...], ...]


def trace(model: SkyMoe, image: One, query: Query, text: str) -> list[LayerRouting]:
    """The routing of every mixture layer while ``text`` is given as the answer; empty for a dense model."""
    found = route(model, [image], [query], [text])
    if not found:
        return []
    (one,) = found
    visual = one.within("summary", "picture")
    # The tokens whose outputs the answer is read from: the last one of the prompt and the answer's own.
    said = int(one.within("answer").sum())
    speaking = torch.arange(len(one.tokens)) >= len(one.tokens) - said - 1
    return [
        LayerRouting(
            layer,
            tuple(expert_load(logits_SE, one.top_k, visual).tolist()),
            tuple(expert_load(logits_SE, one.top_k, speaking).tolist()),
            cells,
        )
        for layer, logits_SE, cells in zip(one.layers, one.logits, one.maps(), strict=True)
    ]


def _parts(prompter: Prompter, prompt: tuple[int, ...], question: int, answer: int) -> Tensor:
    """The part (S,) of each token of a prompt, whose last ``question`` tokens follow the picture, and its answer."""
    count = math.isqrt(prompter.visual_tokens) ** 2
    opening = prompt.index(prompter.image_id)
    summary = len(prompt) - question - opening - count
    closing = min(_closing(prompter), question)
    lengths = (opening, summary, count, question - closing, closing, answer)
    return torch.arange(len(PARTS)).repeat_interleave(torch.tensor(lengths))


def _closing(prompter: Prompter) -> int:
    """How many tokens every prompt ends with alike, whatever is asked."""

    def asked(text: str) -> Messages:
        return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]

    one, other = (prompter.prompt(asked(text)).question for text in ("Describe this", "How many?"))
    same = [a == b for a, b in zip(reversed(one), reversed(other), strict=False)]
    return same.index(False) if False in same else len(same)


__all__ = ["PARTS", "LayerRouting", "Routed", "route", "trace"]
