"""Object counting: how many objects of one class the picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.sample import Sample
from skymoe.tasks.base import Integer, Query, Task
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.questions import counted_noun
from skymoe.tasks.wording import loosen, pluralise, singularise

CANONICAL = "How many {plural} are there in this image? Answer with a number."
_WORDINGS = (
    CANONICAL,
    "How many {plural} are there in this image?",
    "How many {plural} are there?",
    "How many {plural} are in the picture?",
    "How many {plural} can you see?",
    "How many {plural}?",
    "Count the {plural}.",
    "Count the {plural} in this image.",
    "Count all {plural}.",
    "Count {plural}.",
    "What is the number of {plural} in this image?",
    "What is the number of {plural}?",
    "Number of {plural}?",
    "How many {plural} does the image show? Answer with a number.",
    "Give the number of {plural} in the picture.",
    "Tell me how many {plural} there are.",
    "{plural}: how many?",
)


class Count(Task):
    """Target: the count in digits. Only classes annotated exhaustively, and absent ones (0), are asked."""

    name = "count"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        counts = {name: sum(r.name == name for r in sample.regions) for name in sorted(sample.complete)}
        counts |= {name: 0 for name in sorted(sample.absent)}
        for question in sample.questions:
            noun = counted_noun(question.text)
            value = parse_count(question.answer) if noun else None
            if noun and value is not None and value >= 0:
                counts.setdefault(noun, value)
        present = [name for name, value in counts.items() if value]
        missing = [name for name, value in counts.items() if not value]
        if rng is not None and len(missing) > max(1, len(present)):
            missing = rng.sample(missing, max(1, len(present)))
        return [Query("count", subject=name, target=str(counts[name]), kind="count") for name in present + missing]

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        if not (query.subject or "").strip():
            raise UserError("no object to count: say which, for instance 'storage tank'")
        plural = pluralise(singularise(" ".join((query.subject or "").split())))
        if rng is None:
            return CANONICAL.format(plural=plural)
        return loosen(rng.choice(_WORDINGS).format(plural=plural), rng)

    def shape(self, query: Query) -> Integer:
        return Integer()

    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        number = parse_count(text)
        return Answer("count", text, number=number, parsed=number is not None)
