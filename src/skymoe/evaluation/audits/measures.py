"""The lines of an audit's table, and what two answers are to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from skymoe.boxes import iou
from skymoe.evaluation.intervals import Estimate, mean
from skymoe.evaluation.judging import RIGHT_FROM
from skymoe.tasks.labels import same_label
from skymoe.tasks.vqa import same_answer

JUDGED = ("vqa", "ground", "count", "classify")
"""Tasks whose answers are right or wrong one by one."""
RIGHT = {"vqa": "accuracy", "classify": "accuracy", "count": "accuracy", "ground": "Acc@0.5"}
"""What the share of right answers is called."""


class Measure(TypedDict):
    """One line of an audit's table. ``kind`` is "share" (0–1) or "number"; ``ideal`` says what a sound model has."""

    name: str
    value: float
    low: float | None
    high: float | None
    kind: str
    ideal: str


def measure(name: str, found: Estimate | float, kind: str = "share", ideal: str = "") -> Measure:
    """A line of the table from an estimate, or from a bare number that has no interval."""
    if isinstance(found, dict):
        return {"name": name, **found, "kind": kind, "ideal": ideal}
    return {"name": name, "value": float(found), "low": None, "high": None, "kind": kind, "ideal": ideal}


def shown(line: Measure) -> tuple[str, str]:
    """Value and interval as text: "62.2 %" and "59.7–64.7"; the interval is empty where there is none."""

    def text(value: float) -> str:
        if line["kind"] == "share":
            return f"{100 * value:.1f}"
        return f"{value:.3g}" if abs(value) >= 1e-9 else "0"

    unit = " %" if line["kind"] == "share" else ""
    low, high = line["low"], line["high"]
    return text(line["value"]) + unit, "" if low is None or high is None else f"{text(low)} … {text(high)}"


def sound(line: Measure) -> str:
    """What a sound model has, in the unit of the value: "100 %" for a share of 1."""
    return (
        {"0": "0 %", "1": "100 %"}.get(line["ideal"], line["ideal"])
        if line["kind"] == "share"
        else line["ideal"]
    )


def alike(task: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two answers, with their ``text`` and what it was ``parsed`` as, say the same.

    The same label, answer or number; boxes with an IoU ≥ 0.5; captions word for word. Answers that cannot be read are
    alike only where their texts are equal.
    """
    one, other = first["parsed"], second["parsed"]
    if first["text"] == second["text"]:
        return True
    if one is None or other is None or task == "caption":
        return False
    if task == "ground":
        return iou(tuple(one), tuple(other)) >= RIGHT_FROM
    if task == "classify":
        return same_label(one, other)
    return same_answer(one, other) if task == "vqa" else one == other


def difference(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> Estimate:
    """Share of the first minus share of the second, over the same items: the interval is a paired one."""
    return mean([float(a) - float(b) for a, b in zip(first, second, strict=True)], seed=seed)
