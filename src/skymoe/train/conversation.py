"""Several questions on one picture in one sequence, each answered as if it were alone.

The sequence is [picture prefix][question 1 + answer 1][question 2 + answer 2]…; a 4-D mask lets every question see the
prefix and itself only, and its positions restart after the prefix. The result equals one sequence per question (a test
says so), but the picture passes through tower and decoder once.

Shapes: B pictures, S tokens of the longest packed sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skymoe.models.skymoe.modeling_skymoe import IGNORED_LABEL
from skymoe.models.skymoe.processing_skymoe import SkyMoeProcessor


@dataclass(frozen=True)
class Turn:
    """One question's tokens after the picture prefix; the loss is on the last `answer_length` of them."""

    tokens: list[int]
    answer_length: int


class ConversationEncoder:
    """Messages → tokens through the processor's own chat template, so training and answering can't differ."""

    def __init__(self, processor: SkyMoeProcessor) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.image_id = processor.image_token_id

    def encode(self, messages: list[dict[str, Any]]) -> tuple[list[int], Turn]:
        """(picture prefix with every visual token, the turn) of a conversation that ends with the answer."""
        asked = self._tokens(messages[:-1], add_generation_prompt=True)
        full = self._tokens(messages, add_generation_prompt=False)
        assert full[: len(asked)] == asked, (
            "the chat template must render the question the same with and without answer"
        )
        cut = len(full) - full[::-1].index(self.image_id)
        prefix: list[int] = []
        for token in full[:cut]:
            prefix += [token] * (self.processor.image_seq_length if token == self.image_id else 1)
        return prefix, Turn(full[cut:], len(full) - len(asked))

    def _tokens(self, messages: list[dict[str, Any]], **options: Any) -> list[int]:
        text = self.processor.apply_chat_template(messages, tokenize=False, **options)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]


def pack(batch: Sequence[tuple[list[int], Sequence[Turn]]], pad_id: int) -> dict[str, Tensor]:
    """Pack (prefix, turns) of each picture into model inputs.

    Returns `input_ids`, `labels`, `position_ids`, `token_mask` (B, S) and `attention_mask` (B, 1, S, S), True = sees.
    """
    length = max(len(prefix) + sum(len(turn.tokens) for turn in turns) for prefix, turns in batch)
    shape = (len(batch), length)
    input_ids = torch.full(shape, pad_id)
    labels = torch.full(shape, IGNORED_LABEL)
    position_ids = torch.zeros(shape, dtype=torch.long)
    owner = torch.full(shape, -1)  # 0: the prefix, 1…: the turn that a token belongs to, -1: padding
    for row, (prefix, turns) in enumerate(batch):
        place = len(prefix)
        input_ids[row, :place] = torch.tensor(prefix)
        position_ids[row, :place] = torch.arange(place)
        owner[row, :place] = 0
        for number, turn in enumerate(turns, start=1):
            end = place + len(turn.tokens)
            input_ids[row, place:end] = torch.tensor(turn.tokens)
            position_ids[row, place:end] = len(prefix) + torch.arange(len(turn.tokens))
            labels[row, end - turn.answer_length : end] = input_ids[row, end - turn.answer_length : end]
            owner[row, place:end] = number
            place = end
    own = owner[:, :, None] == owner[:, None, :]
    shared = (owner[:, None, :] == 0) & (owner[:, :, None] >= 0)
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    return {
        "input_ids": input_ids,
        "labels": labels,
        "position_ids": position_ids,
        "token_mask": owner >= 0,
        "attention_mask": ((own | shared) & earlier)[:, None],
    }
