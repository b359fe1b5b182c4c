"""What a model said, and what it means."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from skymoe.boxes import Box


@dataclass(frozen=True, slots=True)
class ExpertReport:
    """What one expert of an RS-MoE was told for a question, and what it answered.

    ``prompt`` is the readable part of what the router told it, ``words`` the router's own choice in it; ``weight`` is
    its share in the answer (those of all experts sum to 1), ``finding`` the sub-answer that all experts then read.
    """

    name: str
    prompt: str
    words: tuple[str, ...]
    weight: float
    finding: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "words": list(self.words)}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one query.

    ``text`` is the raw text, untouched. ``label`` is the scene, the yes/no or the short answer, ``number``
    a count, ``boxes`` are in pixels of the picture asked about, ``confidence`` is a probability. ``parsed``
    is False where the text does not answer the question in the form the task wants: such an answer is
    wrong, never left out. ``explanation`` has a report of each expert, where it was asked for and the model has such.
    """

    task: str
    text: str
    label: str | None = None
    number: int | None = None
    boxes: tuple[Box, ...] = ()
    confidence: float | None = None
    parsed: bool = True
    explanation: tuple[ExpertReport, ...] = ()

    def replace(self, **changes: Any) -> Answer:
        """The same answer with some fields changed (the engine adds the confidence this way)."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``task``, ``text`` and ``parsed`` always stand, other fields where they apply."""
        record: dict[str, Any] = {"task": self.task, "text": self.text, "parsed": self.parsed}
        if self.label is not None:
            record["label"] = self.label
        if self.number is not None:
            record["number"] = self.number
        if self.boxes:
            record["boxes"] = [box.to_dict() for box in self.boxes]
        if self.confidence is not None:
            record["confidence"] = self.confidence
        if self.explanation:
            record["explanation"] = [report.to_dict() for report in self.explanation]
        return record
