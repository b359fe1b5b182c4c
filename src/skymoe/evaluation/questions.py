"""A benchmark's questions as a file, for models that run elsewhere: the lines of predictions, without predictions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from skymoe.evaluation.benchmarks import Benchmark, Item


def write_questions(
    folder: Path,
    benchmark: Benchmark,
    split: str = "test",
    *,
    root: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> tuple[Path, int]:
    """Write ``folder/NAME.jsonl``; returns its path and how many questions it holds.

    Each line is what :meth:`Item.record` says, with ``image`` (the file's path), ``window`` (x1, y1, x2, y2 in pixels
    of the file, where only a part of it is the picture) and its ``width`` and ``height``. With the raw answer added as
    ``prediction``, `skymoe score` scores it. Raises UserError where the data are not there.
    """
    items = benchmark.items(split, root=root, limit=limit, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{benchmark.name}.jsonl", folder / f"{benchmark.name}.jsonl.part"
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(question(item)) + "\n" for item in items)
    part.replace(path)
    return path, len(items)


def question(item: Item) -> dict[str, Any]:
    """One line: the record and where its picture is."""
    sample = item.sample
    where: dict[str, Any] = {"image": sample.image, "width": sample.width, "height": sample.height}
    if sample.window is not None:
        where["window"] = list(sample.window)
    return {**item.record(), "task": item.query.task, **where}
