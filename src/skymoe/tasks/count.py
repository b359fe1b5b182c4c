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
from skymoe.tasks.wording import loosen, pluralise, singularise, synonyms

CANONICAL = "How many {plural} are there in this image? Answer with a number."
WORDINGS = (
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
    """Target: the count in digits, for classes annotated exhaustively and for absent ones (0)."""

    name = "count"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        """First what is there, then what is not; with ``rng`` not more of the second than of the first."""
        found = {name: _query(name, sample.count(name), True) for name in sorted(sample.complete)}
        for name in sorted(sample.absent):
            found.setdefault(name, _query(name, 0, False))
        for question in sample.questions:
            noun = counted_noun(question.text)
            value = parse_count(question.answer)
            if noun and value is not None and value >= 0:
                found.setdefault(noun, _query(noun, value, False))
        present = [query for query in found.values() if query.target != "0"]
        missing = [query for query in found.values() if query.target == "0"]
        most = max(1, len(present))
        if rng is not None and len(missing) > most:
            missing = rng.sample(missing, most)
        return present + missing

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        """A plural is taken for its singular, so that "ship" and "ships" ask the same."""
        name = singularise(" ".join((query.subject or "").split()))
        if not name:
            raise UserError("no object to count was given: say which, for instance 'storage tank'")
        if rng is None:
            return CANONICAL.format(plural=pluralise(name))
        called = name if rng.random() < 0.75 else rng.choice(synonyms(name))
        return loosen(rng.choice(WORDINGS).format(plural=pluralise(called)), rng)

    def shape(self, query: Query) -> Integer:
        return Integer()

    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        """``number`` by the rules of :mod:`skymoe.tasks.numbers`."""
        number = parse_count(text)
        return Answer("count", text, number=number, parsed=number is not None)


def _query(name: str, value: int | None, official: bool) -> Query:
    assert value is not None, f"{name} is annotated exhaustively, so it has a count"
    return Query("count", subject=name, target=str(value), kind="count", official=official)
