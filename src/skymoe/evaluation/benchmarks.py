"""Benchmarks as data: which samples of which source are asked what, and which numbers come out.

A benchmark's prompts are the canonical ones of its task, its answers are read by its task, its metrics are those of its
task: nothing of that is repeated here, so training, evaluation and the command line cannot drift apart.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from skymoe.data.sources import get_source
from skymoe.errors import UserError
from skymoe.sample import Sample
from skymoe.tasks import Query, get_task

Chooser = Callable[[Sample], list[Query]]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark. ``id`` is unique within it and never changes: published subsets name it."""

    id: str
    sample: Sample
    query: Query

    @property
    def prompt(self) -> str:
        """The canonical wording."""
        return get_task(self.query.task).prompt(self.query)

    def record(self) -> dict[str, Any]:
        """What a prediction line says besides the prediction: enough to score it without the data set."""
        fields: dict[str, Any] = {"id": self.id, "question": self.prompt}
        query = self.query
        if query.task == "caption":
            # As the data set has them: a tidied "… s." would be another token than "… s .".
            return {**fields, "references": list(self.sample.captions)}
        if query.task == "vqa":
            return {**fields, "question_type": query.kind, "reference": query.target}
        if query.task == "count":
            assert query.target is not None, self.id
            return {**fields, "reference": int(query.target)}
        if query.task == "ground":
            assert query.box is not None, self.id
            size = {"width": self.sample.width, "height": self.sample.height}
            return {**fields, "reference": list(query.box), **size}
        return {**fields, "reference": query.target, "labels": list(query.labels)}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``sizes`` are the official numbers of pictures by split, where the source cannot have all of them."""

    name: str
    title: str
    task: str
    source: str
    choose: Chooser
    note: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    protocol: str = "standard"

    def items(
        self,
        split: str = "test",
        *,
        root: str | os.PathLike[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> list[Item]:
        """The questions of a split, those of one picture together.

        With ``limit`` a seeded choice of that many pictures (among those that are asked something), in the source's
        order. Raises UserError where the data are not there, naming what is missing.
        """
        asked = [(sample, self.choose(sample)) for sample in get_source(self.source, root).samples(split)]
        asked = [pair for pair in asked if pair[1]]
        if limit is not None and limit < len(asked):
            kept = Random(f"{seed}/{self.name}/{split}").sample(range(len(asked)), limit)
            asked = [asked[place] for place in sorted(kept)]
        items = []
        for sample, queries in asked:
            alone = len(queries) == 1
            items += [
                Item(sample.id if alone else f"{sample.id}#{n}", sample, q) for n, q in enumerate(queries)
            ]
        if not items:
            raise UserError(
                f"{self.name}: {self.source} has nothing to ask in its split {split!r}; choose another"
            )
        return items


def official(task: str) -> Chooser:
    """What the data set itself asks or annotates, nothing derived."""
    return lambda sample: [query for query in get_task(task).queries(sample) if query.official]


def count_of(name: str) -> Chooser:
    """The number of one class of objects, where it is annotated completely."""
    return lambda sample: [query for query in get_task("count").queries(sample) if query.subject == name]


def expressions(most: int) -> Chooser:
    """At most ``most`` derived expressions a picture, each of another object, chosen by the picture's name."""

    def choose(sample: Sample) -> list[Query]:
        queries = get_task("ground").queries(sample)
        shuffled = Random(f"expressions/{sample.id}").sample(queries, len(queries))
        by_object = {query.box: query for query in reversed(shuffled)}  # the first of each object stays
        return [query for query in shuffled if by_object[query.box] is query][:most]

    return choose


TILES = (
    "tiles of five scales from 9 whole test scenes; they overlap, so the intervals are somewhat too narrow"
)
RSICD = "RSICD (1,027 of 1,093 test images, 150 px source): the other 66 have no picture here"

_ALL = (
    Benchmark("ucm-captions", "UCM-Captions", "caption", "ucm-captions", official("caption"), "official test split"),
    Benchmark(
        "rsicd", "RSICD", "caption", "rsicd", official("caption"), RSICD, {"train": 8734, "val": 1094, "test": 1093}
    ),
    Benchmark(
        "aid-rsicd-test", "AID (RSICD test pictures)", "classify", "aid", official("classify"),
        "30 classes; the full AID pictures (150 px) of RSICD's test split",
    ),
    Benchmark(
        "ucm-scenes", "UC Merced (caption test pictures)", "classify", "ucm-captions", official("classify"),
        "21 classes; test split of UCM-Captions",
    ),
    Benchmark(
        "rsivqa-ucm", "RSIVQA, human questions on UC Merced", "vqa", "rsivqa-ucm", official("vqa"),
        "pictures of UCM-Captions' test split; questions without an object's name are official and stay",
    ),
    Benchmark(
        "rsivqa-ucm-themes", "RSIVQA, themes on UC Merced", "vqa", "rsivqa-ucm-themes", official("vqa"),
        "test split of UCM-Captions",
    ),
    Benchmark(
        "rsivqa-rsicd-themes", "RSIVQA, themes on RSICD", "vqa", "rsivqa-rsicd-themes", official("vqa"), RSICD,
        {"train": 8734, "val": 1094, "test": 1093},
    ),
    Benchmark("airbus-count", "Airbus tanks, counting", "count", "airbus-oil-storage", count_of("storage tank"), TILES),
    Benchmark(
        "airbus-ground", "Airbus tanks, grounding", "ground", "airbus-oil-storage", expressions(3),
        f"at most three derived expressions a tile, each of another tank; {TILES}",
    ),
)  # fmt: skip
BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; UserError with the nearest known one for any other."""
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BENCHMARKS)}"
        raise UserError(f"no benchmark is called {name!r}; {hint}")
    return BENCHMARKS[name]


def pictures(items: Sequence[Item]) -> int:
    """How many pictures the items are about."""
    return len({item.sample.id for item in items})
