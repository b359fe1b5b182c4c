"""The verdict of the `paper` protocol, whose rules are in :mod:`skymoe.evaluation.metrics.paper`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from skymoe.evaluation.judging import (
    Judge,
    Record,
    Verdict,
    box_items,
    boxes_of,
    caption_items,
    enclosing,
    items_of,
    references_of,
)
from skymoe.evaluation.metrics import count, paper


def paper_implementation(task: str) -> dict[str, str]:
    """Which rules these are, and which package computes captions."""
    found = {"rules": paper.LABEL}
    if task == "caption":
        try:
            found["captions"] = f"characters compared; nltk {version('nltk')}"
        except PackageNotFoundError:
            found["captions"] = "characters compared; nltk is not installed"
    return found


def _captions(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    texts = [record["prediction"] for record in records]
    found = paper.caption(texts, [record["references"] for record in records], seed=seed)
    return Verdict(found.metrics, caption_items(texts, found.per_image), notes=found.notes)


def _questions(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    texts, wanted = _texts(records)
    kinds = [record["question_type"] for record in records]
    metrics, by = paper.vqa(texts, wanted, kinds, seed=seed), paper.by_kind(texts, wanted, kinds)
    return Verdict(metrics, _contained(texts, wanted), by)


def _counts(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    texts = [record["prediction"] for record in records]
    wanted = [record["reference"] for record in records]
    numbers = [paper.number(text) for text in texts]
    return Verdict(paper.count(texts, wanted, seed=seed), items_of(numbers, count.hits(numbers, wanted)))


def _boxes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    read, said = boxes_of(records, boxes)
    found, wanted = enclosing(read), references_of(records)
    items = box_items(found, paper.overlaps(found, wanted))
    return Verdict(paper.ground(found, wanted, seed=seed), items, implementation=said)


def _scenes(records: Sequence[Record], boxes: str, seed: int) -> Verdict:
    texts, wanted = _texts(records)
    accuracies = paper.by_kind(texts, wanted, wanted)
    recalls = {name: {"recall": metrics["accuracy"]} for name, metrics in accuracies.items()}
    return Verdict(paper.classify(texts, wanted, seed=seed), _contained(texts, wanted), recalls)


def _texts(records: Sequence[Record]) -> tuple[list[str], list[str]]:
    return [record["prediction"] for record in records], [record["reference"] for record in records]


def _contained(texts: Sequence[str], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Nothing is parsed by these rules: the whole lower-cased answer is what is searched."""
    parsed = [text.strip().lower() or None for text in texts]
    return items_of(parsed, [paper.contains(*pair) for pair in zip(texts, wanted, strict=True)])


PAPER: dict[str, Judge] = {
    "caption": _captions,
    "vqa": _questions,
    "count": _counts,
    "ground": _boxes,
    "classify": _scenes,
}
