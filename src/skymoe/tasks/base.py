"""What the five tasks have in common: the query, the shapes an answer can have, and the task itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from skymoe.answer import Answer
from skymoe.sample import XYXY, Sample


@dataclass(frozen=True, slots=True)
class Query:
    """One question on one picture, before it is worded.

    ``subject`` is the object counted, the phrase grounded or the question asked; ``target`` the
    standardised answer text (None when a user asks); ``kind`` the vqa question type; ``labels`` the closed
    list of classify; ``references`` all captions; ``box`` the reference box of ground in pixels.
    ``official`` marks what the dataset itself annotates for this task; the rest was derived to train on
    (presence, absence, phrases).
    """

    task: str
    subject: str | None = None
    target: str | None = None
    kind: str | None = None
    labels: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    box: XYXY | None = None
    official: bool = False


@dataclass(frozen=True, slots=True)
class FreeText:
    """Any text of at most ``max_tokens`` tokens."""

    max_tokens: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """Exactly one of ``labels``, letter for letter."""

    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Integer:
    """Decimal digits without sign or leading zeros, 0 … ``max``."""

    max: int = 9999


@dataclass(frozen=True, slots=True)
class Box:
    """``{<x1><y1><x2><y2>}``: four integers 0 … ``scale`` with x1 < x2 and y1 < y2."""

    scale: int = 100


AnswerShape = FreeText | OneOf | Integer | Box


class Task(ABC):
    """All knowledge about one task: from a sample to questions and targets, from a text to an answer."""

    name: ClassVar[str]

    @abstractmethod
    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        """Everything this sample can honestly be asked, negatives too; with ``rng`` a balanced choice."""

    @abstractmethod
    def prompt(self, query: Query, rng: Random | None = None) -> str:
        """The canonical wording, or with ``rng`` one of many paraphrases."""

    @abstractmethod
    def shape(self, query: Query) -> AnswerShape:
        """The form of a valid answer, for constrained decoding."""

    @abstractmethod
    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        """What ``text`` means for a picture of ``width`` × ``height`` pixels. Never raises for any text."""

    def messages(
        self, query: Query, rng: Random | None = None, with_answer: bool = False
    ) -> list[dict[str, Any]]:
        """The ordinary chat format: the image, then the text; the assistant's turn when ``with_answer``."""
        content = [{"type": "image"}, {"type": "text", "text": self.prompt(query, rng)}]
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if with_answer:
            assert query.target is not None, f"a {self.name} query without target cannot be trained on"
            turns.append({"role": "assistant", "content": [{"type": "text", "text": query.target}]})
        return turns
