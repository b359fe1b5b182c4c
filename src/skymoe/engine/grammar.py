"""What may be said next: a small grammar over characters for each form of answer, carried over to any vocabulary.

A token is allowed where its text keeps what was said so far a beginning of a valid answer. That holds for vocabularies
with one token per coordinate ("<12>") as for those that spell digits, and nothing here knows which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from skymoe.tasks.base import AnswerShape, Box, Integer

# How tokenizers spell a space inside a token.
_SPACES = ("Ġ", "▁")


class Rule(ABC):
    """Which tokens may follow the ones said so far."""

    @abstractmethod
    def bias(self, said: Sequence[int]) -> Tensor | None:
        """(V,) to be added to the logits: 0 for what may follow, -inf for the rest; None where all may."""

    def closed(self, said: Sequence[int]) -> bool:
        """Whether nothing but the end may follow."""
        return False


class Anything(Rule):
    """Free decoding."""

    def bias(self, said: Sequence[int]) -> None:
        return None


class Text(Rule):
    """Any text, but none of the special tokens except the end."""

    def __init__(self, size: int, banned: Iterable[int], device: torch.device) -> None:
        self._bias = torch.zeros(size, device=device)
        self._bias[list(banned)] = -torch.inf

    def bias(self, said: Sequence[int]) -> Tensor:
        return self._bias


class Vocabulary:
    """The texts of the tokens that grammars can use: digits, brackets and spaces, never special tokens."""

    CHARACTERS = frozenset("0123456789<>{} ")

    def __init__(self, tokenizer: Any, size: int, special: frozenset[int], stop: frozenset[int]) -> None:
        self.size = size
        self.stop = stop
        self.texts: dict[int, str] = {}
        unusable = special | stop
        for token, text in enumerate(tokenizer.convert_ids_to_tokens(range(min(size, len(tokenizer))))):
            for mark in _SPACES:
                text = text.replace(mark, " ")
            if text and token not in unusable and self.CHARACTERS.issuperset(text):
                self.texts[token] = text

    def text(self, tokens: Iterable[int]) -> str:
        return "".join(self.texts.get(token, "") for token in tokens)


class Grammar(Rule):
    """An integer or a box. A space may come first: sentencepiece vocabularies begin words with one."""

    def __init__(self, shape: Integer | Box, vocabulary: Vocabulary, device: torch.device) -> None:
        self.shape = shape
        self.vocabulary = vocabulary
        self.device = device
        # Bounded: there are a hundred million boxes, and a long evaluation would meet many of their beginnings.
        self._after = lru_cache(maxsize=4096)(self._allowed)

    def bias(self, said: Sequence[int]) -> Tensor:
        bias = torch.full((self.vocabulary.size,), -torch.inf, device=self.device)
        bias[list(self._after(self.vocabulary.text(said)))] = 0.0
        return bias

    def closed(self, said: Sequence[int]) -> bool:
        return self.vocabulary.stop.issuperset(self._after(self.vocabulary.text(said)))

    def _allowed(self, text: str) -> tuple[int, ...]:
        allowed = [
            token for token, piece in self.vocabulary.texts.items() if self._state(text + piece) is not None
        ]
        if self._state(text):
            allowed += self.vocabulary.stop
        assert allowed, f"{text!r} leads nowhere in this vocabulary"
        return tuple(allowed)

    def _state(self, text: str) -> bool | None:
        return valid_beginning(text.removeprefix(" "), self.shape)


@lru_cache(maxsize=20_000)
def valid_beginning(text: str, shape: Integer | Box) -> bool | None:
    """True: a complete answer; False: the beginning of one; None: neither."""
    if isinstance(shape, Integer):
        return _number(text, 0, shape.max)
    numbers: list[int] = []
    for place, opening in enumerate(("{<", "><", "><", "><")):
        if not text.startswith(opening):
            return False if opening.startswith(text) else None
        text = text[len(opening) :]
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        text = text[len(digits) :]
        # x1 and y1 leave room for a larger x2 and y2.
        low, high = (0, shape.scale - 1) if place < 2 else (numbers[place - 2] + 1, shape.scale)
        state = _number(digits, low, high)
        if not text:
            return None if state is None else False
        if not state:
            return None
        numbers.append(int(digits))
    return True if text == ">}" else False if ">}".startswith(text) else None


def _number(digits: str, low: int, high: int) -> bool | None:
    """As `valid_beginning`, for an integer low … high without leading zeros."""
    if not digits:
        return False
    if not digits.isascii() or not digits.isdigit() or (digits[0] == "0" and len(digits) > 1):
        return None
    value = int(digits)
    if low <= value <= high:
        return True
    # Appending n digits reaches value·10ⁿ … value·10ⁿ + 10ⁿ − 1.
    reach, width = value * 10, 10
    while value and reach <= high:
        if reach + width - 1 >= low:
            return False
        reach, width = reach * 10, width * 10
    return None


def longest_answer(shape: AnswerShape) -> int:
    """Tokens that a typed answer can need at most, spelt character by character, space and end included."""
    if isinstance(shape, Integer):
        return len(str(shape.max)) + 2
    assert isinstance(shape, Box), shape
    return len("{<><><><>}") + 4 * len(str(shape.scale)) + 2
