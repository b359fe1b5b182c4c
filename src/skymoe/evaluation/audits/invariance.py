"""Invariance: an answer must not depend on what else is asked, nor on the order, nor on the day.

The benchmark is asked again, in another order (so that every batch has other company), and one picture at a time.
What the engine remembers of pictures is forgotten before each, or it would answer from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from random import Random
from typing import Any

from skymoe.evaluation.audits.bench import Bench, Records
from skymoe.evaluation.audits.measures import JUDGED, Measure, alike, measure
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.intervals import wilson

CHANGED_SHOWN = 20


def run(bench: Bench) -> dict[str, Any]:
    """The benchmark again, shuffled, and one by one."""
    plain = bench.plain()
    seed = bench.settings.seed
    ways: dict[str, Records] = {}
    mixed = shuffled(bench.items, seed)
    asked: dict[str, Callable[[], Records]] = {
        "asked again": lambda: bench.ask("again"),
        "in another order": lambda: bench.ask("shuffled", mixed, seed=seed),
        "one at a time": lambda: bench.ask("alone", batch_size=1),
    }
    for title, ask in asked.items():
        forget(bench.engine)
        ways[title] = ask()
    forget(bench.engine)
    before = {one["id"]: one for one in _said(bench, plain)}
    measures: list[Measure] = []
    changed: dict[str, list[dict[str, str]]] = {}
    for title, records in ways.items():
        pairs = [(before[after["id"]], after) for after in _said(bench, records)]
        measures += _measures(bench.task, title, pairs)
        changed[title] = [
            {"id": one["id"], "before": one["text"], "after": other["text"]}
            for one, other in pairs
            if one["text"] != other["text"]
        ][:CHANGED_SHOWN]
    return {"questions": len(plain), "measures": measures, "changed": changed}


def _said(bench: Bench, records: Records) -> list[dict[str, Any]]:
    """What was said, and how surely; captions are not scored, which takes long and tells nothing here."""
    items = (
        bench.score(records).items
        if bench.task in JUDGED
        else [{"id": record["id"], "text": record["prediction"]} for record in records]
    )
    return [
        {**item, "confidence": record.get("confidence")} for item, record in zip(items, records, strict=True)
    ]


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """The items picture by picture in another order, and the questions of each picture as well."""
    groups = [list(group) for _, group in groupby(items, key=lambda item: item.sample.id)]
    rng = Random(f"shuffled/{seed}")
    mixed = rng.sample(groups, len(groups))
    return [item for group in mixed for item in rng.sample(group, len(group))]


def forget(engine: Any) -> None:
    """Let the engine forget the pictures it remembers, if it remembers any."""
    prefixes = getattr(engine, "prefixes", None)
    if prefixes is not None:
        prefixes.clear()


def _measures(
    task: str, title: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[Measure]:
    n = len(pairs)
    same_text = sum(one["text"] == other["text"] for one, other in pairs)
    found = [measure(f"{title}: the same text", wilson(same_text, n), ideal="1")]
    if task in JUDGED:
        same = sum(alike(task, one, other) for one, other in pairs)
        moved = sum(other["correct"] - one["correct"] for one, other in pairs) / n
        found += [
            measure(f"{title}: the same answer", wilson(same, n), ideal="1"),
            measure(f"{title}: change of the right answers", moved, ideal="0"),
        ]
    sure = [
        abs(one["confidence"] - other["confidence"])
        for one, other in pairs
        if one["confidence"] is not None and other["confidence"] is not None
    ]
    if sure:
        found.append(measure(f"{title}: largest change of a confidence", max(sure), "number", "0"))
    return found
