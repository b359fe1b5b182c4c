"""The functions that the tasks' YAML names: picture and words of a question, and the score of all its answers.

A document is a line of :mod:`skymoe.evaluation.questions`. Every answer is passed on as a prediction line, and each
metric's aggregation scores all of them by `skymoe score`'s code, so the numbers are those of `skymoe eval`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from PIL import Image

from skymoe.evaluation.scoring import HEADLINES, Score, score_records
from skymoe.pictures import open_sample
from skymoe.sample import Sample
from skymoe.tasks import Query

Document = Mapping[str, Any]
PREFIX = "skymoe_"
_LAST: dict[str, Score] = {}


def pictures(document: Document) -> list[Image.Image]:
    """The one picture, cut to its window, as `skymoe eval` shows it."""
    window = document.get("window")
    sample = Sample(
        str(document["id"]), document["image"], "", "", "", int(document["width"]), int(document["height"]),
        window=None if window is None else tuple(window),
    )  # fmt: skip
    return [open_sample(sample)]


def words(document: Document, lmms_eval_specific_kwargs: Mapping[str, Any] | None = None) -> str:
    """The canonical question, between the model's own pre- and postscript where lmms-eval has some."""
    own = lmms_eval_specific_kwargs or {}
    return f"{own.get('pre_prompt', '')}{document['question']}{own.get('post_prompt', '')}"


def target(document: Document) -> str:
    """The reference as text."""
    references = document.get("references")
    return str(references[0] if references else document["reference"])


def query(document: Document) -> Query:
    """The question before it was worded, for a model that decodes under the form of its answer."""
    return Query(
        document["task"], document.get("subject"), kind=document.get("question_type"),
        labels=tuple(document.get("labels") or ()),
    )  # fmt: skip


def results(document: Document, answers: Sequence[str]) -> dict[str, Any]:
    """The prediction line, once for every metric."""
    known = {name: value for name, value in document.items() if value is not None}
    line = {**known, "prediction": answers[0]}
    return dict.fromkeys(HEADLINES[document["task"]], line)


def aggregate(metric: str, lines: Sequence[Document], boxes: str = "geochat") -> float:
    """One metric over all prediction lines; they are scored once for all metrics."""
    task = lines[0]["task"]
    key = sha256(repr([(line["id"], line["prediction"], boxes) for line in lines]).encode()).hexdigest()
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = score_records(task, lines, boxes=boxes)
    estimate = _LAST[key].metrics.get(metric)
    return float("nan") if estimate is None else estimate["value"]  # METEOR without Java


def attribute(metric: str, boxes: str = "geochat") -> str:
    """The name in this module of a metric's aggregation: names of functions hold no "@" or "."."""
    plain = metric.replace("@", "_at_").replace(".", "_")
    return f"aggregate_{plain}" + ("" if boxes == "geochat" else f"__{boxes}")


def __getattr__(name: str) -> Callable[[Sequence[Document]], float]:
    if name.startswith("aggregate_"):
        plain, _, boxes = name.partition("__")
        for metrics in HEADLINES.values():
            for metric in metrics:
                if attribute(metric) == plain:
                    return partial(aggregate, metric, boxes=boxes or "geochat")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
