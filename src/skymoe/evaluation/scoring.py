"""From prediction lines to numbers, without the model and without the data set.

A line is ``{"id", "prediction", …}`` with the raw text and the reference: ``references`` (captions), ``reference`` and
``question_type`` (vqa), ``reference`` box with ``width`` and ``height`` in pixels (ground), an integer ``reference``
(count), ``reference`` and ``labels`` (classify).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import skymoe
from skymoe.answer import Answer
from skymoe.evaluation.intervals import Metrics
from skymoe.evaluation.metrics import caption, classify, count, ground, vqa
from skymoe.tasks import get_task

Record = Mapping[str, Any]
# Names of the metrics that a table shows; the report's JSON has all of them.
HEADLINES = {
    "caption": ("bleu4", "meteor", "rouge_l", "cider"),
    "vqa": ("oa", "aa"),
    "ground": ("acc@0.5", "acc@0.7", "miou"),
    "count": ("accuracy", "within10", "mae", "rmse"),
    "classify": ("accuracy", "mean_class_recall"),
}
LOWER_IS_BETTER = frozenset(("mae", "rmse"))
PERCENT = frozenset(("oa", "aa", "accuracy", "mean_class_recall", "acc@0.5", "acc@0.7", "within10", "recall"))


@dataclass(frozen=True)
class Score:
    """``unparsable`` is a share of ``n``; ``by`` has the metrics of parts (question types, classes)."""

    task: str
    protocol: str
    n: int
    unparsable: float
    metrics: Metrics
    by: dict[str, Metrics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    implementation: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def score_records(task: str, records: Sequence[Record], *, seed: int = 0) -> Score:
    """Score prediction lines of one task by the standard protocol; an answer that cannot be read is wrong.

    Raises UserError where a metric's package is missing.
    """
    assert records, "nothing to score"
    answers = [_parse(task, record) for record in records]
    metrics, by, notes = _SCORERS[task](records, answers, seed)
    return Score(
        task=task,
        protocol="standard",
        n=len(records),
        unparsable=sum(not answer.parsed for answer in answers) / len(answers),
        metrics=metrics,
        by=by,
        notes=notes,
        implementation=implementation(task),
    )


def require(task: str) -> None:
    """Raises UserError where the task's metrics need a package that is not there: to be told before a model runs."""
    if task == "caption":
        caption.require()


def implementation(task: str) -> dict[str, str]:
    """Which code computes the metrics of a task, with versions."""
    return {"skymoe": skymoe.__version__, **(caption.implementation() if task == "caption" else {})}


def _parse(task: str, record: Record) -> Answer:
    size = {"width": record.get("width", 1), "height": record.get("height", 1)}
    return get_task(task).parse(record["prediction"], labels=record.get("labels") or (), **size)


Scored = tuple[Metrics, dict[str, Metrics], dict[str, str]]


def _captions(records: Sequence[Record], answers: Sequence[Answer], seed: int) -> Scored:
    found = caption.evaluate(
        [r["prediction"] for r in records], [r["references"] for r in records], seed=seed
    )
    return found.metrics, {}, found.notes


def _questions(records: Sequence[Record], answers: Sequence[Answer], seed: int) -> Scored:
    lists = (
        [r["prediction"] for r in records],
        [r["reference"] for r in records],
        [r["question_type"] for r in records],
        [r.get("labels") or () for r in records],
    )
    return vqa.score(*lists, seed=seed), vqa.by_kind(*lists), {}


def _counts(records: Sequence[Record], answers: Sequence[Answer], seed: int) -> Scored:
    return (
        count.score([answer.number for answer in answers], [r["reference"] for r in records], seed=seed),
        {},
        {},
    )


def _boxes(records: Sequence[Record], answers: Sequence[Answer], seed: int) -> Scored:
    # One box a query: of several the first; a turned one is judged by the horizontal box around it.
    found = [answer.boxes[0].enclosing().xyxy if answer.boxes else None for answer in answers]
    return ground.score(found, [tuple(r["reference"]) for r in records], seed=seed), {}, {}


def _scenes(records: Sequence[Record], answers: Sequence[Answer], seed: int) -> Scored:
    lists = ([answer.label for answer in answers], [r["reference"] for r in records])
    return classify.score(*lists, seed=seed), classify.by_class(*lists), {}


_SCORERS: dict[str, Callable[[Sequence[Record], Sequence[Answer], int], Scored]] = {
    "caption": _captions,
    "vqa": _questions,
    "count": _counts,
    "ground": _boxes,
    "classify": _scenes,
}
