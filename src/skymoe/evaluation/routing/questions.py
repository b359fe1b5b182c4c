"""What is asked: pictures of benchmarks, each asked one question of every task and granularity that fits it.

A benchmark's own questions would not do: one data set asks for captions, the next for counts, and an expert that told
the data sets apart would seem to tell the tasks apart. Where one picture is asked everything, it cannot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from skymoe.data.corpus.asking import granularity
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import Benchmark
from skymoe.sample import Sample
from skymoe.tasks import TASKS, Query


@dataclass(frozen=True, slots=True)
class Asked:
    """One question on one picture. ``picture`` names the pixels: several data sets ask about the same ones."""

    id: str
    picture: str
    sample: Sample
    query: Query
    granularity: str

    @property
    def source(self) -> str:
        """The data set."""
        return self.sample.source


def ask_everything(
    benchmarks: Sequence[Benchmark],
    *,
    split: str = "test",
    limit: int | None = None,
    seed: int = 0,
    root: str | os.PathLike[str] | None = None,
) -> tuple[list[Asked], dict[str, str]]:
    """The questions on a seeded choice of ``limit`` pictures of each data set, those on one picture together, and why
    benchmarks were left out.

    Where several benchmarks use one data set, the first names the pictures. Which of several fitting questions is
    asked is drawn by the picture's name, so that it does not depend on what else is chosen.

    Raises:
        UserError: where no data set is there.
    """
    by_picture: dict[str, list[Asked]] = {}
    skipped: dict[str, str] = {}
    done: set[tuple[str, str]] = set()
    for benchmark in benchmarks:
        if (benchmark.source, benchmark.folder) in done:
            continue
        try:
            items = benchmark.items(split, root=root, limit=limit, seed=seed)
        except UserError as error:
            skipped[benchmark.name] = str(error)
            continue
        done.add((benchmark.source, benchmark.folder))
        for sample in {item.sample.id: item.sample for item in items}.values():
            picture = _name(sample)
            there = by_picture.setdefault(picture, [])
            known = {(one.query.task, one.granularity) for one in there}
            there += [
                one
                for one in _fitting(sample, picture, seed)
                if (one.query.task, one.granularity) not in known
            ]
    asked = [one for questions in by_picture.values() for one in questions]
    if not asked:
        reason = "; ".join(skipped.values()) or "no benchmark was named"
        raise UserError(f"there is nothing to ask: {reason}")
    return asked, skipped


def _fitting(sample: Sample, picture: str, seed: int) -> list[Asked]:
    found = []
    for task in TASKS.values():
        levels: dict[str, list[Query]] = {}
        for query in task.queries(sample):
            if query.target:
                levels.setdefault(granularity(task.name, query.kind), []).append(query)
        for level, queries in levels.items():
            query = Random(f"routing/{seed}/{sample.id}/{task.name}/{level}").choice(queries)
            found.append(
                Asked(f"{sample.source}/{sample.id}#{task.name}-{level}", picture, sample, query, level)
            )
    return found


def _name(sample: Sample) -> str:
    return sample.image if sample.window is None else f"{sample.image}@{','.join(map(str, sample.window))}"


__all__ = ["Asked", "ask_everything"]
