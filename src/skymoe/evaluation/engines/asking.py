"""What a foreign model is asked: the canonical wording, and nothing else unless its user wants the form explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from skymoe.answer import Answer
from skymoe.boxes import NOTATIONS, Box, format_box, parse_boxes
from skymoe.errors import UserError
from skymoe.tasks import Query, get_task
from skymoe.tasks.labels import display_label

LONGEST = {"caption": 128, "vqa": 64, "ground": 64, "count": 64, "classify": 64}
"""Tokens of an answer: more than any asked for, so that a talkative model is not cut off before its point."""
_SCALES = {
    "geochat": "with integers from 0 to 100", "vrsbench": "with integers from 0 to 100",
    "vhm": "with integers from 0 to 999", "unit": "with numbers from 0 to 1", "qwen": "with integers from 0 to 1000",
    "pixel": "in pixels", "auto": "in pixels",
}  # fmt: skip


@dataclass(frozen=True)
class Asking:
    """How foreign models are asked and read.

    ``boxes`` is the notation that their boxes are read in (:func:`skymoe.boxes.parse_boxes`), ``max_tokens`` replaces
    LONGEST. With ``explain`` the question is followed by the form of its answer: the list of scenes, the notation of
    boxes. It makes an easier task of it, so it is told wherever the numbers are.
    """

    boxes: str = "geochat"
    explain: bool = False
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.boxes not in NOTATIONS:
            raise UserError(f"unknown box notation {self.boxes!r}: choose one of {', '.join(NOTATIONS)}")

    def question(self, query: Query) -> str:
        """The words that reach the model."""
        prompt = get_task(query.task).prompt(query)
        if not self.explain:
            return prompt
        if query.task == "classify" and query.labels and "Choose from:" not in prompt:
            names = ", ".join(dict.fromkeys(map(display_label, query.labels)))
            form = "Answer in one word or a short phrase."
            return f"{prompt} Classify the image from the following classes: {names}. {form}"
        if query.task == "ground":
            return f"{prompt} Answer with its bounding box x1, y1, x2, y2 {_SCALES[self.boxes]}, as {self._example()}."
        return prompt

    def longest(self, query: Query) -> int:
        return self.max_tokens if self.max_tokens is not None else LONGEST[query.task]

    def read(
        self, query: Query, text: str, picture: Image.Image, input_size: tuple[float, float] | None = None
    ) -> Answer:
        """What the text means for the picture; ``input_size`` is what the model saw of it, in pixels."""
        width, height = picture.size
        if query.task == "ground":
            found = parse_boxes(text, width, height, self.boxes, input_size)
            return Answer("ground", text, boxes=found, parsed=bool(found))
        return get_task(query.task).parse(text, width=width, height=height, labels=query.labels)

    def _example(self) -> str:
        notation = "pixel" if self.boxes == "auto" else self.boxes
        return format_box(Box(100, 200, 300, 400), 1000, 1000, notation)

    def settings(self) -> dict[str, Any]:
        """What of it decides the answers."""
        found: dict[str, Any] = {"max_tokens": self.max_tokens or LONGEST}
        return {**found, "explain": self.boxes} if self.explain else found
