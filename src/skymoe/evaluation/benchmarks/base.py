"""A benchmark as a value: which samples of which source are asked what, and what is kept of it for scoring."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from skymoe.boxes import oriented_box
from skymoe.data.sources import Source, State, data_root, get_source
from skymoe.errors import UserError
from skymoe.evaluation.scoring import HEADLINES
from skymoe.sample import Sample
from skymoe.tasks import Query, get_task

Chooser = Callable[[Sample], list[Query]]
Root = str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark. ``id`` is unique within it and never changes: published subsets name it.

    ``by_class``: its line says what was counted, so that numbers by class can be had.
    """

    id: str
    sample: Sample
    query: Query
    by_class: bool = False

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
            named = {"class": query.subject} if self.by_class else {}
            return {**fields, "reference": int(query.target), **named}
        if query.task == "ground":
            assert query.box is not None, self.id
            size = {"width": self.sample.width, "height": self.sample.height}
            return {**fields, "reference": list(query.box), **size, **self._outline()}
        return {**fields, "reference": query.target, "labels": list(query.labels)}

    def _outline(self) -> dict[str, Any]:
        """The rotated reference, where the data set has one: the smallest rectangle around its outline."""
        for one in self.sample.expressions:
            if (one.phrase, one.box) == (self.query.subject, self.query.box) and one.polygon:
                return {"polygon": list(oriented_box(one.polygon).polygon())}
        return {}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set, its split, and what is asked of it. Prompt, parser and metrics are those of ``task``.

    ``options`` are given to the source, ``folder`` is where it lies below the data folder when the source itself does
    not know. ``splits`` says which split of the source stands for one of ours, where that is another. ``sizes`` and
    ``questions`` are the official numbers of pictures and questions by split, where what can be read may be fewer.
    ``published`` is the name in the paper's tables (`published.csv`), ``also`` other names it is asked for by;
    ``by_class`` asks for numbers by class of object, too.
    """

    name: str
    title: str
    task: str
    source: str
    choose: Chooser
    note: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    protocol: str = "standard"
    questions: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    splits: Mapping[str, str] = field(default_factory=dict)
    published: str = ""
    also: tuple[str, ...] = ()
    by_class: bool = False

    @property
    def prompt(self) -> str:
        """The canonical wording of its questions, with "object" for what is asked about."""
        asked = {"vqa": "What is this object?", "ground": "the object"}.get(self.task, "object")
        return get_task(self.task).prompt(Query(self.task, asked))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics a table shows; the first ranks models."""
        return HEADLINES[self.task]

    def reader(self, root: Root = None) -> Source:
        """The source of its samples, reading below ``root`` (default: SKYMOE_DATA, else ../shared/data)."""
        if self.folder:
            root = (Path(root) if root is not None else data_root()) / self.folder
        return get_source(self.source, root, **self.options)

    def state(self, root: Root = None) -> State:
        """Whether its files are there, without reading them."""
        return self.reader(root).state()

    def source_split(self, split: str) -> str:
        """The source's name of a split; UserError for the one that another of ours already stands for."""
        if split not in self.splits and split in self.splits.values():
            ours = next(name for name, its in self.splits.items() if its == split)
            raise UserError(
                f"{self.name}: the data set's split {split!r} is the {ours} split here; choose {ours}"
            )
        return self.splits.get(split, split)

    def items(
        self, split: str = "test", *, root: Root = None, limit: int | None = None, seed: int = 0
    ) -> list[Item]:
        """The questions of a split, those of one picture together.

        With ``limit`` a seeded choice of that many pictures (among those that are asked something), in the source's
        order. Raises UserError where the data are not there, naming what is missing.
        """
        samples = self.reader(root).samples(self.source_split(split))
        asked = [(sample, self.choose(sample)) for sample in samples]
        asked = [pair for pair in asked if pair[1]]
        if limit is not None and limit < len(asked):
            kept = Random(f"{seed}/{self.name}/{split}").sample(range(len(asked)), limit)
            asked = [asked[place] for place in sorted(kept)]
        items = []
        for sample, queries in asked:
            alone = len(queries) == 1
            names = [sample.id] if alone else [f"{sample.id}#{n}" for n in range(len(queries))]
            items += [
                Item(name, sample, query, self.by_class) for name, query in zip(names, queries, strict=True)
            ]
        if not items:
            raise UserError(
                f"{self.name}: {self.source} has nothing to ask in its split {split!r}; choose another"
            )
        return items


def pictures(items: Sequence[Item]) -> int:
    """How many pictures the items are about."""
    return len({item.sample.id for item in items})
