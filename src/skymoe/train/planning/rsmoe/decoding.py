"""Arithmetic of an RS-MoE without gradient: the experts' findings, and answering."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ..schedule import Answering
from ..stage import PRECISIONS
from ..tape import LINEAR, Dtypes
from ..tensors import count
from .dimensions import DECODER, RowStage


def finding(stage: RowStage) -> float:
    """FLOP of one row's findings at their longest: E streams read the sub-task and then write F tokens."""
    model = stage.model
    asked, F = stage.asked_tokens, model.finding_length
    stream = _layers(stage, asked, asked) + F * _head(stage)
    stream += sum(_layers(stage, 1, asked + place) for place in range(1, F))
    return model.streams * stream


def _layers(stage: RowStage, tokens: int, seen: int, adapted: bool = True) -> float:
    """FLOP of all decoder layers on `tokens` of one stream, which look at `seen`."""
    text = stage.model.decoder
    numbers = 0
    for name, shape in stage.model_weights().items():
        if name.startswith(f"{DECODER}layers.") and len(shape) > 1 and (adapted or ".lora_" not in name):
            numbers += prod(shape[-2:])  # of E adapters the one of that stream
    return LINEAR * tokens * numbers + 2.0 * LINEAR * tokens * seen * text.heads * text.head_dim * text.layers


def _head(stage: RowStage) -> float:
    """FLOP of one token's logits."""
    return float(LINEAR * stage.model.decoder.hidden * stage.model.decoder.vocabulary)


def rows_answering(stage: RowStage, text_tokens: int = 64) -> Answering:
    """One question to the finished model: `prefill` is the experts' findings and then the question for E streams,
    `prefill_dense` one stream without either, `tower` all that comes before the decoder. See `Answering`."""
    from .walk import walk_rows

    model = stage.model
    one = replace(
        stage, rows=1, text_tokens=text_tokens, generated=0.0, precision=PRECISIONS["pure-bf16"],
        frozen=("model.", "lm_head"),
    )  # fmt: skip
    streams, text = model.streams, model.decoder
    tokens, alone = model.image_tokens + text_tokens, model.reader.queries + text_tokens
    found = finding(one) if model.names else 0.0
    layers = streams * _layers(one, tokens, tokens)
    before = {"embedding", "head", "findings"}
    read = [
        block
        for block in walk_rows(one, Dtypes(2, 2))
        if block.name not in before and not block.name.startswith("layer")
    ]
    shapes = one.model_weights()
    decoding = sum(
        prod(shape) for name, shape in shapes.items() if name.startswith((DECODER, "lm_head")) and
        (text.tied or "embed_tokens" not in name)
    )  # fmt: skip
    return Answering(
        tokens=tokens,
        prefill=found + layers + streams * tokens * _head(one),
        prefill_last=found + layers + streams * _head(one),
        prefill_dense=_layers(one, alone, alone, adapted=False) + alone * _head(one),
        tower=sum(block.forward for block in read),
        token=streams * (_layers(one, 1, tokens) + _head(one)),
        weights=2 * count(shapes),
        weights_read=2 * decoding,
        cache=streams * 2 * 2 * tokens * text.kv_heads * text.head_dim * text.layers,
    )


__all__ = ["finding", "rows_answering"]
