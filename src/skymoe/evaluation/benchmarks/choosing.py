"""Which of the questions that could be asked of a sample a benchmark asks."""

from __future__ import annotations

from random import Random

from skymoe.boxes import Box, format_box
from skymoe.evaluation.benchmarks.base import Chooser
from skymoe.sample import Sample
from skymoe.tasks import Query, get_task


def official(task: str) -> Chooser:
    """What the data set itself asks or annotates, nothing derived."""
    return lambda sample: [query for query in get_task(task).queries(sample) if query.official]


def count_of(name: str) -> Chooser:
    """The number of one class of objects, where it is annotated completely."""
    return lambda sample: [query for query in get_task("count").queries(sample) if query.subject == name]


def counted(sample: Sample) -> list[Query]:
    """The number of every class that is there and annotated completely.

    Classes that are not there are left out: they would be most of the questions, and always the same answer.
    """
    return [query for query in get_task("count").queries(sample) if query.official and query.target != "0"]


def referring(sample: Sample) -> list[Query]:
    """Every expression of the data set, also those that say the same of several objects: published numbers have
    them all in the denominator."""
    return [
        Query(
            "ground", one.phrase, format_box(Box(*one.box), sample.width, sample.height), box=one.box, official=True
        )
        for one in sample.expressions
    ]  # fmt: skip


def expressions(most: int) -> Chooser:
    """At most ``most`` derived expressions a picture, each of another object, chosen by the picture's name."""

    def choose(sample: Sample) -> list[Query]:
        queries = get_task("ground").queries(sample)
        shuffled = Random(f"expressions/{sample.id}").sample(queries, len(queries))
        by_object = {query.box: query for query in reversed(shuffled)}  # the first of each object stays
        return [query for query in shuffled if by_object[query.box] is query][:most]

    return choose
