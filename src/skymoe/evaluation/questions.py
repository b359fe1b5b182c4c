"""A benchmark's questions as a file, for models that run elsewhere: the lines of predictions, without predictions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from skymoe.evaluation.benchmarks import Benchmark, Item
from skymoe.evaluation.lmms.writing import write_task


def write_questions(
    folder: Path,
    benchmark: Benchmark,
    split: str = "test",
    *,
    root: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    boxes: str = "geochat",
) -> tuple[Path, int]:
    """Write ``folder/NAME.jsonl`` and, for lmms-eval, ``folder/NAME.yaml``; returns the first's path and how many
    questions it holds.

    Each line is what :meth:`Item.record` says, with ``image`` (the file's path), ``window`` (x1, y1, x2, y2 in pixels
    of the file, where only a part of it is the picture), its ``width`` and ``height``, and the ``subject`` that is
    asked about. With the raw answer added as ``prediction``, `skymoe score` scores it; ``boxes`` is the notation in
    which lmms-eval reads boxes. Raises UserError where the data are not there.
    """
    items = benchmark.items(split, root=root, limit=limit, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{benchmark.name}.jsonl", folder / f"{benchmark.name}.jsonl.part"
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(question(item)) + "\n" for item in items)
    part.replace(path)
    write_task(benchmark, path, boxes)
    return path, len(items)


def question(item: Item) -> dict[str, Any]:
    """One line: the record and where its picture is."""
    sample, query = item.sample, item.query
    where: dict[str, Any] = {
        "image": os.path.abspath(sample.image),
        "width": sample.width,
        "height": sample.height,
    }
    if sample.window is not None:
        where["window"] = list(sample.window)
    asked = {"subject": query.subject} if query.subject is not None else {}
    return {**item.record(), "task": query.task, **asked, **where}
