"""Visual grounding: the box of the one object that a phrase names."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from skymoe import boxes
from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.sample import Sample
from skymoe.tasks import expressions
from skymoe.tasks.base import Box, Query, Task
from skymoe.tasks.wording import loosen

CANONICAL = "[refer] Where is <p> {phrase} </p>?"
WORDINGS = (
    CANONICAL,
    "[refer] Where is {phrase}?",
    "[refer] {phrase}",
    "[refer] Give the location of <p> {phrase} </p>.",
    "Where is {phrase}?",
    "Where's {phrase}?",
    "Where is {phrase} in this image?",
    "Locate {phrase}.",
    "Locate {phrase} in the picture.",
    "Find {phrase}.",
    "Show me {phrase}.",
    "Point to {phrase}.",
    "Mark {phrase}.",
    "Give me the bounding box of {phrase}.",
    "Output the bounding box of {phrase}.",
    "What are the coordinates of {phrase}?",
    "Box {phrase}.",
)


class Ground(Task):
    """Target: ``{<x1><y1><x2><y2>}``, integers 0–100 of the picture's width and height, no angle."""

    name = "ground"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        found: dict[str, Query] = {}
        own = [(expression, True) for expression in sample.expressions]
        for expression, official in own + [(e, False) for e in expressions.derive(sample)]:
            target = boxes.format_box(boxes.Box(*expression.box), sample.width, sample.height)
            key = expression.phrase if official else expression.phrase.lower()
            if official or key not in {phrase.lower() for phrase in found}:
                found[key] = Query("ground", expression.phrase, target, box=expression.box, official=official)
        return list(found.values())

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        phrase = " ".join((query.subject or "").split())
        if not phrase:
            raise UserError("no phrase to locate: name one object, for instance 'the largest storage tank'")
        if rng is None:
            return CANONICAL.format(phrase=phrase)
        return loosen(rng.choice(WORDINGS).format(phrase=expressions.reword(phrase, rng)), rng)

    def shape(self, query: Query) -> Box:
        return Box()

    def parse(
        self,
        text: str,
        *,
        width: int,
        height: int,
        labels: Sequence[str] = (),
        notation: str = "geochat",
        input_size: tuple[float, float] | None = None,
    ) -> Answer:
        """All boxes in ``text``, in pixels, clipped to the picture: :func:`skymoe.boxes.parse_boxes`."""
        found = boxes.parse_boxes(text, width, height, notation, input_size)
        return Answer("ground", text, boxes=found, parsed=bool(found))
