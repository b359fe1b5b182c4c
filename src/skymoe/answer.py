"""What a model said, and what it means."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from skymoe.boxes import Box


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one query.

    ``text`` is the raw text, untouched. ``label`` is the scene, the yes/no or the short answer, ``number``
    a count, ``boxes`` are in pixels of the picture asked about, ``confidence`` is a probability. ``parsed``
    is False where the text does not answer the question in the form the task wants: such an answer is
    wrong, never left out.
    """

    task: str
    text: str
    label: str | None = None
    number: int | None = None
    boxes: tuple[Box, ...] = ()
    confidence: float | None = None
    parsed: bool = True

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
        return record
