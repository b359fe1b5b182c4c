"""A job: one question on one picture, ready to be read by the model."""

from __future__ import annotations

from dataclasses import dataclass

from skymoe.engine.grammar import longest_answer
from skymoe.engine.opened import Opened
from skymoe.engine.prompting import Messages, Prompt
from skymoe.tasks import AnswerShape, FreeText, OneOf, Query

LONGEST_REPLY = 64


@dataclass(frozen=True)
class Job:
    """One question on one picture. `own_words`: what it asks for was guessed from the user's own words."""

    picture: Opened
    query: Query
    messages: Messages
    prompt: Prompt
    shape: AnswerShape
    own_words: bool = False


def limit(shape: AnswerShape) -> int:
    """The most tokens an answer of this shape can have. A label said freely may be anything."""
    if isinstance(shape, FreeText):
        return shape.max_tokens
    return LONGEST_REPLY if isinstance(shape, OneOf) else longest_answer(shape)
