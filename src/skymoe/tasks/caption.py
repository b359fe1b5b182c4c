"""Captioning: one sentence that describes the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from skymoe.answer import Answer
from skymoe.sample import Sample
from skymoe.tasks.base import FreeText, Query, Task
from skymoe.tasks.wording import loosen

CANONICAL = "Describe this image in one sentence."
WORDINGS = (
    CANONICAL,
    "Describe this image.",
    "Describe the picture in one sentence.",
    "Describe what you see.",
    "Provide a one-sentence caption for the provided image.",
    "Write a short caption for this image.",
    "Give a brief description of this aerial picture.",
    "Caption this image.",
    "Caption this.",
    "Caption, please.",
    "What do you see in this image?",
    "What can be seen here?",
    "What is in this picture?",
    "What does this satellite image show?",
    "Summarise the scene in one sentence.",
    "Can you describe this image briefly?",
    "Tell me what is in the image.",
    "A short description, please.",
    "Describe the remote sensing image in one sentence.",
    "What's in this photo?",
)


def tidy(caption: str) -> str:
    """One line, no spaces before punctuation, no doubled spaces; words and case stay as they are."""
    line = " ".join(caption.split())
    return re.sub(r"\s+([,.;:!?])", r"\1", line)


class Caption(Task):
    """Target: one of the captions; references: all of them, repeated ones too (they change CIDEr)."""

    name = "caption"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        references = tuple(line for line in map(tidy, sample.captions) if line)
        if not references:
            return []
        target = rng.choice(references) if rng else references[0]
        return [Query("caption", target=target, references=references, official=True)]

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        return loosen(rng.choice(WORDINGS), rng) if rng else CANONICAL

    def shape(self, query: Query) -> FreeText:
        return FreeText(max_tokens=64)

    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        """Any non-empty text is a caption."""
        return Answer("caption", text, label=tidy(text) or None, parsed=bool(text.strip()))
