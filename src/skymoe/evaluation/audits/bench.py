"""A benchmark under audit: one model, one set of questions, asked again and again with one thing changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

import skymoe
from skymoe.answer import Answer
from skymoe.evaluation.benchmarks import Benchmark, Item
from skymoe.evaluation.notations import notation_of
from skymoe.evaluation.predictions import Engine, predict
from skymoe.evaluation.scoring import Score, score_records
from skymoe.tasks import Query

Records = list[dict[str, Any]]
Alter = Callable[[Item, Image.Image], Image.Image]
"""What the model gets to see instead of an item's picture."""
Ask = Callable[[Sequence[Item], Sequence[Any]], list[Answer]]
"""Another way to put questions: items and, pairwise, the pictures that the model sees."""
Kind = TypeVar("Kind", bound=Item)
Watch = Callable[[str, int | None], Callable[[int], None]]


@dataclass(frozen=True)
class Settings:
    """How a model is audited. ``limit`` is a number of pictures a benchmark, None for all of them.

    ``fill`` and ``steps`` belong to masking (what a mask looks like, how many times a picture is masked further),
    ``wordings`` to phrasing, ``num_beams`` to captions alone; ``boxes`` is the notation of the model's boxes.
    """

    split: str = "test"
    limit: int | None = 200
    batch_size: int = 32
    num_beams: int = 5
    constrained: bool = True
    boxes: str = "geochat"
    seed: int = 0
    fill: str = "zero"
    steps: int = 5
    wordings: int = 5

    @property
    def folder(self) -> str:
        """What of the settings belongs in a folder's name: the parts that differ from a plain run."""
        parts = [self.split] if self.split != "test" else []
        parts += ["all"] if self.limit is None else [f"limit{self.limit}"] if self.limit != 200 else []
        parts += [f"beams{self.num_beams}"] if self.num_beams != 5 else []
        parts += ["free"] if not self.constrained else []
        parts += [f"seed{self.seed}"] if self.seed else []
        return "-".join(parts)


@dataclass
class Bench:
    """Asks the questions of one benchmark; every way of asking (a *pass*) leaves its answers in a file of ``folder``.

    A pass that is complete is read from its file, so several audits share the plain one, and a run that was stopped
    continues.
    """

    engine: Engine
    model: dict[str, str]
    benchmark: Benchmark
    items: Sequence[Item]
    folder: Path
    settings: Settings
    fresh: bool = False
    watch: Watch = lambda name, total: lambda done: None
    _asked: dict[str, Records] = field(default_factory=dict)

    @property
    def task(self) -> str:
        return self.benchmark.task

    def score(self, records: Records) -> Score:
        """The pass's numbers by the `standard` protocol, and in ``items`` what became of every answer."""
        boxes = self.settings.boxes
        if self.task == "ground" and boxes == "auto":
            # Decided by what the model said to the plain question, for all passes.
            boxes = notation_of(self.plain(), boxes)
        found = score_records(self.task, records, boxes=boxes, seed=self.settings.seed)
        for item, record in zip(found.items, records, strict=True):
            item["text"] = record["prediction"]
        return found

    def plain(self) -> Records:
        """The benchmark as it is."""
        return self.ask("plain")

    def ask(
        self,
        name: str,
        items: Sequence[Item] | None = None,
        *,
        alter: Alter | None = None,
        ask: Ask | None = None,
        batch_size: int | None = None,
        **said: Any,
    ) -> Records:
        """The prediction lines of one pass, in the order of ``items`` (the benchmark's own where none are given).

        ``said`` is what else decides the answers; a file that was made otherwise is refused.
        """
        if name in self._asked:
            return self._asked[name]
        # Copies: an equal question of another picture must not be the same object.
        asked = [
            dataclasses.replace(item, query=dataclasses.replace(item.query)) for item in items or self.items
        ]
        settings, size = self.settings, batch_size or self.settings.batch_size
        path = self.folder / f"{name}.jsonl"
        if self.fresh:
            path.unlink(missing_ok=True)
        made = {"model": self.model, "benchmark": self.benchmark.name, "split": settings.split}
        with _batches_of(self.engine, size):
            self._asked[name] = predict(
                _Changed(self.engine, asked, alter, ask),
                asked,
                path,
                {**made, "skymoe": skymoe.__version__, "pass": name, **said},
                constrained=settings.constrained,
                num_beams=settings.num_beams if self.task == "caption" else 1,
                batch_size=size,
                advance=self.watch(f"{self.benchmark.name}: {name}", len(asked)),
            )
        return self._asked[name]


def remade(kind: type[Kind], item: Item, **changes: Any) -> Kind:
    """The item as another kind of item, with everything it has but the changes."""
    kept = {field.name: getattr(item, field.name) for field in dataclasses.fields(Item)}
    return kind(**{**kept, **changes})


class _Changed:
    """The engine, but with other pictures before it, or asked in another way; all else of it is as it was."""

    def __init__(self, engine: Engine, items: Sequence[Item], alter: Alter | None, ask: Ask | None) -> None:
        self.engine = engine
        self.items = {id(item.query): item for item in items}
        self.alter = alter
        self.ask = ask
        if ask is not None:
            self.question = lambda query: self.items[id(query)].record()["question"]

    def __getattr__(self, name: str) -> Any:
        # Engines of others tell by further attributes how they ask and what they see.
        return getattr(self.engine, name)

    def answer(
        self, images: Sequence[Any], queries: Sequence[Query], *, constrained: bool = True, num_beams: int = 1
    ) -> list[Answer]:
        items = [self.items[id(query)] for query in queries]
        if self.alter is not None:
            # Once for each picture: the engine recognises one picture in all of its questions.
            changed: dict[int, Image.Image] = {}
            for image, item in zip(images, items, strict=True):
                if id(image) not in changed:
                    changed[id(image)] = self.alter(item, image)
            images = [changed[id(image)] for image in images]
        if self.ask is not None:
            return self.ask(items, images)
        return self.engine.answer(images, queries, constrained=constrained, num_beams=num_beams)


@contextmanager
def _batches_of(engine: Any, size: int) -> Iterator[None]:
    """Where an engine has batches of its own, they are as large as those of the pass."""
    before = getattr(engine, "batch_size", None)
    if before is not None:
        engine.batch_size = size
    try:
        yield
    finally:
        if before is not None:
            engine.batch_size = before
