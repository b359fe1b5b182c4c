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

from skymoe.errors import UserError
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
        self.end_id = processor.tokenizer.eos_token_id

    def encode(self, messages: list[dict[str, Any]]) -> tuple[list[int], Turn]:
        """(picture prefix with every visual token, the turn) of a conversation that ends with the answer.

        The answer's tokens are exactly those the model has to say: its text and the end token.

        Raises:
            UserError: the chat template writes the question otherwise when an answer follows, or no end after the
                answer; or the conversation has not exactly one picture.
        """
        asked = self._tokens(messages[:-1], add_generation_prompt=True)
        full = self._tokens(messages, add_generation_prompt=False)
        if full[: len(asked)] != asked:
            raise UserError(
                "the chat template writes a question otherwise when an answer follows, so that training and answering "
                "would differ: say base.template: vicuna"
            )
        said = full[len(asked) :]
        if self.end_id not in said:
            raise UserError(
                f"the chat template writes no {self.tokenizer.eos_token} after an answer, so that the model would "
                "never learn to stop: say base.template: vicuna"
            )
        said = said[
            : said.index(self.end_id) + 1
        ]  # some templates go on with a line break, which nobody says
        if (pictures := asked.count(self.image_id)) != 1 or self.image_id in said:
            raise UserError(
                f"a conversation with {pictures} pictures; one in the question is what is learnt from"
            )
        cut = asked.index(self.image_id) + 1
        prefix = asked[: cut - 1] + [self.image_id] * self.processor.image_seq_length
        return prefix, Turn(asked[cut:] + said, len(said))

    def _tokens(self, messages: list[dict[str, Any]], **options: Any) -> list[int]:
        text = self.processor.apply_chat_template(messages, tokenize=False, **options)
        # As the engine does: some templates write the begin token themselves, and it must not come twice.
        begin = self.tokenizer.bos_token
        written = bool(begin) and text.startswith(begin)
        return self.tokenizer(text, add_special_tokens=not written)["input_ids"]


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
