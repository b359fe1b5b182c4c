"""The verdict on a list of records, task by task: metrics, metrics of parts, and what became of every single answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skymoe.boxes import Box, parse_boxes
from skymoe.evaluation.intervals import Metrics
from skymoe.evaluation.metrics import caption, classify, count, ground, vqa
from skymoe.evaluation.notations import notation_of
from skymoe.tasks import get_task
from skymoe.tasks.caption import tidy

Record = Mapping[str, Any]
Judge = Callable[[Sequence[Record], str, int], "Verdict"]
RIGHT_FROM = 0.5
"""The IoU from which a box counts as right."""


@dataclass(frozen=True)
class Verdict:
    """``items``: one ``{"parsed", "correct", …}`` a record; ``parsed`` is None where nothing could be read."""

    metrics: Metrics
    items: list[dict[str, Any]]
    by: dict[str, Metrics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    implementation: dict[str, str] = field(default_factory=dict)


def boxes_of(records: Sequence[Record], boxes: str) -> tuple[list[Box | None], str]:
    """The one box of every answer in pixels (of several the first), and the notation they were read in."""
    notation = notation_of(records, boxes) if boxes == "auto" else boxes
    found: list[Box | None] = []
    for record in records:
        text, width, height = record["prediction"], record["width"], record["height"]
        read = parse_boxes(text, width, height, notation, record.get("input_size"))
        if not read and boxes == "auto":
            # Angle brackets cannot be mistaken, whatever the other lines hold.
            read = parse_boxes(text, width, height, "geochat")
        found.append(read[0] if read else None)
    return found, notation


def _captions(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    texts = [record["prediction"] for record in records]
    found = caption.evaluate(texts, [record["references"] for record in records], seed=seed)
    items = [
        {
            "parsed": tidy(text) or None,
            "correct": None,
            **{name: found.per_image[name][n] for name in found.per_image},
        }
        for n, text in enumerate(texts)
    ]
    return Verdict(found.metrics, items, notes=found.notes)


def _questions(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    lists = (
        [r["prediction"] for r in records],
        [r["reference"] for r in records],
        [r["question_type"] for r in records],
        [r.get("labels") or () for r in records],
    )
    right = vqa.hits(*lists)
    parsed = [_answer("vqa", record).label for record in records]
    return Verdict(vqa.score(*lists, seed=seed), _items(parsed, right), vqa.by_kind(*lists))


def _counts(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    numbers = [_answer("count", record).number for record in records]
    wanted = [record["reference"] for record in records]
    right = [number == reference for number, reference in zip(numbers, wanted, strict=True)]
    return Verdict(count.score(numbers, wanted, seed=seed), _items(numbers, right))


def _boxes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    read, notation = boxes_of(records, boxes)
    # A turned box is judged by the horizontal box around it.
    found = [box.enclosing().xyxy if box is not None else None for box in read]
    wanted = [tuple(record["reference"]) for record in records]
    overlaps = ground.overlaps(found, wanted)
    items = [
        {"parsed": None if box is None else list(box), "correct": overlap >= RIGHT_FROM, "iou": overlap}
        for box, overlap in zip(found, overlaps, strict=True)
    ]
    said = {"boxes": notation if boxes != "auto" else f"auto: {notation}"}
    return Verdict(ground.score(found, wanted, seed=seed), items, implementation=said)


def _scenes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    found = [_answer("classify", record).label for record in records]
    wanted = [record["reference"] for record in records]
    right = classify.hits(found, wanted)
    return Verdict(
        classify.score(found, wanted, seed=seed), _items(found, right), classify.by_class(found, wanted)
    )


def _answer(task: str, record: Record) -> Any:
    size = {"width": record.get("width", 1), "height": record.get("height", 1)}
    return get_task(task).parse(record["prediction"], labels=record.get("labels") or (), **size)


def _items(parsed: Sequence[Any], right: Sequence[bool]) -> list[dict[str, Any]]:
    pairs = zip(parsed, right, strict=True)
    return [{"parsed": value, "correct": bool(correct)} for value, correct in pairs]


JUDGES: dict[str, dict[str, Judge]] = {
    "standard": {
        "caption": _captions,
        "vqa": _questions,
        "count": _counts,
        "ground": _boxes,
        "classify": _scenes,
    }
}
