"""The standard protocol's verdict on a list of records: metrics, metrics of parts, what became of every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skymoe.answer import Answer
from skymoe.boxes import Box, parse_boxes
from skymoe.evaluation.intervals import Metrics
from skymoe.evaluation.metrics import caption, classify, count, ground, vqa
from skymoe.evaluation.metrics.groups import by_group
from skymoe.evaluation.notations import notation_of
from skymoe.sample import XYXY
from skymoe.tasks import get_task
from skymoe.tasks.caption import tidy
from skymoe.tasks.vqa import normalise_answer

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


def boxes_of(records: Sequence[Record], boxes: str) -> tuple[list[Box | None], dict[str, str]]:
    """The one box of every answer in pixels (of several the first), and what is to be said of their notation."""
    notation = notation_of(records, boxes)
    found: list[Box | None] = []
    for record in records:
        text, width, height = record["prediction"], record["width"], record["height"]
        read = parse_boxes(text, width, height, notation, record.get("input_size"))
        if not read and boxes == "auto":
            # Angle brackets cannot be mistaken, whatever the other lines hold.
            read = parse_boxes(text, width, height, "geochat")
        found.append(read[0] if read else None)
    said = {"boxes": notation if boxes != "auto" else f"{notation} (found by auto)"}
    if any(record.get("relative") for record in records):
        said["sizes"] = "unknown: boxes are in hundredths of the picture"
    return found, said


def enclosing(read: Sequence[Box | None]) -> list[XYXY | None]:
    """A turned box is judged by the horizontal box around it."""
    return [None if box is None else box.enclosing().xyxy for box in read]


def references_of(records: Sequence[Record]) -> list[XYXY]:
    """The horizontal boxes of reference."""
    return [tuple(record["reference"]) for record in records]


def named(records: Sequence[Record], key: str) -> list[str]:
    """What every line says under ``key``, or nothing where not all of them say it in text."""
    found = [record.get(key) for record in records]
    return [name for name in found if isinstance(name, str)] if all(isinstance(n, str) for n in found) else []


def box_items(found: Sequence[XYXY | None], overlaps: Sequence[float]) -> list[dict[str, Any]]:
    """The items of boxes with their overlaps."""
    return [
        {"parsed": None if box is None else list(box), "correct": overlap >= RIGHT_FROM, "iou": overlap}
        for box, overlap in zip(found, overlaps, strict=True)
    ]


def caption_items(texts: Sequence[str], per_image: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """The items of captions with their scores by metric."""
    return [
        {"parsed": tidy(text) or None, "correct": None, **{name: per_image[name][n] for name in per_image}}
        for n, text in enumerate(texts)
    ]


def captions(records: Sequence[Record], boxes: str, seed: int, *, with_spice: bool = False) -> Verdict:
    """The verdict on captions; SPICE is no part of the protocol, and stands beside it where it is asked for."""
    texts = [record["prediction"] for record in records]
    references = [record["references"] for record in records]
    found = caption.evaluate(texts, references, seed=seed, with_spice=with_spice)
    return Verdict(found.metrics, caption_items(texts, found.per_image), notes=found.notes)


def _questions(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    lists = (
        [r["prediction"] for r in records],
        [r["reference"] for r in records],
        [r["question_type"] for r in records],
        [r.get("labels") or () for r in records],
    )
    binned = vqa.BINNED | {record["question_type"] for record in records if record.get("binned") is True}
    right = vqa.hits(*lists, binned=binned)
    labels = [answer.label for answer in _answers("vqa", records)]
    # "two" is right where the list says "2", though it is no word of the list.
    parsed = [
        normalise_answer(text) if hit and label is None else label
        for text, hit, label in zip(lists[0], right, labels, strict=True)
    ]
    kinds = lists[2]
    return Verdict(
        vqa.aggregates(right, kinds, seed=seed), items_of(parsed, right), vqa.accuracy_by(right, kinds)
    )


def _counts(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    numbers = [answer.number for answer in _answers("count", records)]
    wanted = [record["reference"] for record in records]
    by: dict[str, Metrics] = {}
    if None in numbers:
        by |= count.readings(numbers, wanted, seed=seed)
    if classes := named(records, "class"):
        by |= count.by_class(numbers, wanted, classes, seed=seed)
    return Verdict(
        count.score(numbers, wanted, seed=seed), items_of(numbers, count.hits(numbers, wanted)), by
    )


def _boxes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    read, said = boxes_of(records, boxes)
    found, wanted = enclosing(read), references_of(records)
    metrics = ground.score(found, wanted, seed=seed)
    items = box_items(found, ground.overlaps(found, wanted))
    if any(box is not None and box.angle for box in read) or any(record.get("polygon") for record in records):
        outlines = [record.get("polygon") or Box(*record["reference"]) for record in records]
        metrics |= ground.rotated(read, outlines, seed=seed)
        for item, overlap in zip(items, ground.rotated_overlaps(read, outlines), strict=True):
            item["rotated_iou"] = overlap
    return Verdict(metrics, items, _by_size(records, found, wanted, seed), implementation=said)


def _by_size(
    records: Sequence[Record], found: Sequence[XYXY | None], wanted: Sequence[XYXY], seed: int
) -> dict[str, Metrics]:
    """By the data set's own size groups where every line has one; by area where it is known in pixels."""
    if groups := named(records, "size_group"):
        return by_group(ground.score, groups, found, wanted, seed=seed)
    if any(record.get("relative") for record in records):
        return {}
    return ground.by_size(found, wanted, seed=seed)


def _scenes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    found = [answer.label for answer in _answers("classify", records)]
    wanted = [record["reference"] for record in records]
    right = classify.hits(found, wanted)
    return Verdict(
        classify.score(found, wanted, seed=seed), items_of(found, right), classify.by_class(found, wanted)
    )


def _answers(task: str, records: Sequence[Record]) -> list[Answer]:
    """What the task reads in each prediction; the same words are read once."""
    known: dict[tuple[str, tuple[str, ...]], Answer] = {}
    found = []
    for record in records:
        key = (record["prediction"], tuple(record.get("labels") or ()))
        if key not in known:
            known[key] = get_task(task).parse(key[0], labels=key[1], width=1, height=1)
        found.append(known[key])
    return found


def items_of(parsed: Sequence[Any], right: Sequence[bool]) -> list[dict[str, Any]]:
    pairs = zip(parsed, right, strict=True)
    return [{"parsed": value, "correct": bool(correct)} for value, correct in pairs]


STANDARD: dict[str, Judge] = {
    "caption": captions,
    "vqa": _questions,
    "count": _counts,
    "ground": _boxes,
    "classify": _scenes,
}
