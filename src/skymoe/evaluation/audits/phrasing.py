"""Phrasing: the same question in several wordings, as people would type them.

The wordings are those of the task (`Task.prompt` with random numbers): other words, with or without a suffix, a
capital, a question mark. They reach the model as they are and it answers freely, as in `skymoe ask`; the evaluation's
own wording, with its typed answers, stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

import numpy as np

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Ask, Bench, remade
from skymoe.evaluation.audits.measures import RIGHT, Measure, alike, measure
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.intervals import mean, wilson
from skymoe.tasks import get_task

DRAWS = 200
EXAMPLES = 8
Answers = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Worded(Item):
    """A question in other words than the evaluation's."""

    words: str = ""

    def record(self) -> dict[str, Any]:
        """The prediction line's fields; ``question`` is what was really asked."""
        return {**Item.record(self), "question": self.words}


def run(bench: Bench) -> dict[str, Any]:
    """The benchmark in ``settings.wordings`` wordings.

    Raises:
        UserError: for a model that cannot be asked in one's own words, or fewer than two wordings.
    """
    count = bench.settings.wordings
    if count < 2:
        raise UserError(f"{count} wordings: give at least 2, for there must be something to compare")
    ask = way_to_ask(bench.engine)
    if ask is None:
        raise UserError(f"{bench.model['name']} cannot be asked in one's own words")
    worded = [wordings(item, count) for item in bench.items]
    lines = [
        bench.ask(
            f"wording-{number + 1}",
            [
                remade(Worded, item, words=words[number])
                for item, words in zip(bench.items, worded, strict=True)
            ],
            ask=ask,
        )
        for number in range(count)
    ]
    said = [bench.score(records).items for records in lines]
    right = [[answer["correct"] for answer in answers] for answers in said]
    own = [answer["correct"] for answer in bench.score(bench.plain()).items]
    return {
        "questions": len(own),
        "measures": _measures(bench, said, right, own),
        "wordings": [
            {"example": words, "right": wilson(sum(own_hits), len(own_hits))}
            for words, own_hits in zip([bench.items[0].prompt, *worded[0]], [own, *right], strict=True)
        ],
        "different": list(_different(bench, said, worded)),
    }


def wordings(item: Item, count: int) -> list[str]:
    """So many wordings of an item's question, no two alike but for case and closing mark where it can be had.

    The n-th one comes from the same draw for every item, so that wordings can be compared over a benchmark.
    """
    task, found, known = get_task(item.query.task), [], set[str]()
    spare: list[str] = []
    for number in range(DRAWS):
        words = task.prompt(item.query, Random(f"wording/{number}"))
        key = words.lower().rstrip("?.! ")
        if key not in known:
            known.add(key)
            found.append(words)
        elif words not in found and words not in spare:
            spare.append(words)
        if len(found) == count:
            return found
    # A question of no known family keeps its words: only how it is typed differs.
    found = list(dict.fromkeys([*found, *spare]))
    return [found[number % len(found)] for number in range(count)]


def way_to_ask(engine: Any) -> Ask | None:
    """How the engine is asked in an item's words: by its `ask`, or by what it calls its question."""
    if hasattr(engine, "ask"):
        return lambda items, pictures: in_words(engine.ask, items, pictures)
    if hasattr(engine, "question"):
        return lambda items, pictures: _as_its_question(engine, items, pictures)
    return None


def in_words(
    ask: Callable[[list[Any], str], list[Answer]], items: Sequence[Item], pictures: Sequence[Any]
) -> list[Answer]:
    """Free answers to questions in the items' words; the same words are asked of all their pictures at once."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        assert isinstance(item, Worded)
        places.setdefault(item.words, []).append(place)
    answers: dict[int, Answer] = {}
    for words, members in places.items():
        said = ask([pictures[place] for place in members], words)
        answers |= dict(zip(members, said, strict=True))
    return [answers[place] for place in range(len(items))]


def _as_its_question(engine: Any, items: Sequence[Item], pictures: Sequence[Any]) -> list[Answer]:
    """Engines of others say in `question` what they ask; for this once they ask the items' words."""
    words = {id(item.query): item.words for item in items if isinstance(item, Worded)}
    engine.question = lambda query: words[id(query)]
    try:
        return engine.answer(pictures, [item.query for item in items], constrained=False)
    finally:
        del engine.question  # its own method is seen again


def _measures(
    bench: Bench, said: Sequence[Answers], right: Sequence[Sequence[bool]], own: Sequence[bool]
) -> list[Measure]:
    n, seed, name = len(own), bench.settings.seed, RIGHT[bench.task]
    rates = [sum(hit) / n for hit in right]
    table = np.array(right)
    best, worst = rates.index(max(rates)), rates.index(min(rates))
    pairs = [
        [alike(bench.task, one[place], other[place]) for one, other in combinations(said, 2)]
        for place in range(n)
    ]
    unread = [answer["parsed"] is None for answers in said for answer in answers]
    return [
        measure(f"{name}, evaluation's wording, typed", wilson(sum(own), n), ideal="high"),
        measure(
            f"{name}, mean of {len(said)} wordings, free", mean(table.mean(axis=0), seed=seed), ideal="high"
        ),
        measure(f"{name}, best wording", wilson(sum(right[best]), n)),
        measure(f"{name}, worst wording", wilson(sum(right[worst]), n)),
        measure("right in every wording", wilson(int(table.all(axis=0).sum()), n), ideal="high"),
        measure("right in any wording", wilson(int(table.any(axis=0).sum()), n)),
        measure(
            "two wordings get the same answer", mean([float(np.mean(p)) for p in pairs], seed=seed), ideal="1"
        ),
        measure("all wordings get the same answer", wilson(sum(map(all, pairs)), n), ideal="1"),
        measure("cannot be read, all wordings", sum(unread) / len(unread), ideal="0"),
    ]


def _different(
    bench: Bench, said: Sequence[Answers], worded: Sequence[Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """Some questions whose answers differ, chosen by chance."""
    places = [
        place
        for place in range(len(bench.items))
        if any(not alike(bench.task, said[0][place], other[place]) for other in said[1:])
    ]
    few = Random(f"phrasing/{bench.benchmark.name}").sample(places, min(EXAMPLES, len(places)))
    for place in sorted(few):
        item = bench.items[place]
        yield {
            "id": item.id,
            "reference": item.query.target or "",
            "answers": [
                {"question": words, "text": answers[place]["text"], "right": answers[place]["correct"]}
                for words, answers in zip(worded[place], said, strict=True)
            ],
        }
