"""From prediction lines to numbers, without the model and without the data set.

A line is ``{"id", "prediction", …}`` with the raw text and the reference, as :mod:`skymoe.evaluation.checking` says.
Two protocols, never mixed: ``standard`` is this project's; ``paper`` follows the rules that presumably stand behind the
SkyMoE paper's tables, and is for comparison with them only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import skymoe
from skymoe.errors import UserError
from skymoe.evaluation.intervals import Metrics
from skymoe.evaluation.judging import STANDARD, Judge, Record, captions
from skymoe.evaluation.judging_paper import PAPER, paper_implementation
from skymoe.evaluation.metrics import caption

JUDGES: dict[str, dict[str, Judge]] = {"standard": STANDARD, "paper": PAPER}
PROTOCOLS = tuple(JUDGES)
# Names of the metrics that a table shows; the report's JSON has all of them.
HEADLINES = {
    "caption": ("bleu4", "meteor", "rouge_l", "cider"),
    "vqa": ("oa", "aa"),
    "ground": ("acc@0.5", "acc@0.7", "miou"),
    "count": ("accuracy", "within10", "mae", "rmse"),
    "classify": ("accuracy", "mean_class_recall"),
}
LOWER_IS_BETTER = frozenset(("mae", "rmse"))
PERCENT = frozenset(
    (
        *(
            "oa",
            "aa",
            "oa_without_numbers",
            "aa_without_numbers",
            "accuracy",
            "mean_class_recall",
            "recall",
            "within10",
        ),
        *("acc@0.5", "acc@0.7", "rotated_acc@0.5", "rotated_acc@0.7"),
    )
)


@dataclass(frozen=True)
class Score:
    """``unparsable`` is a share of ``n``; ``by`` has the metrics of parts (question types, classes).

    ``items`` is one ``{"id", "parsed", "correct", …}`` a record, in order; it is no part of :meth:`to_dict`.
    """

    task: str
    protocol: str
    n: int
    unparsable: float
    metrics: Metrics
    by: dict[str, Metrics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    implementation: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the items are left out."""
        found = asdict(self)
        del found["items"]
        return found

    def document(self) -> dict[str, Any]:
        """What ``skymoe score --json`` prints: the notes stand among the implementation's words."""
        found = self.to_dict()
        found["implementation"] = {**self.implementation, **found.pop("notes")}
        return found


def score_records(
    task: str,
    records: Sequence[Record],
    *,
    protocol: str = "standard",
    boxes: str = "geochat",
    seed: int = 0,
    spice: bool = False,
) -> Score:
    """Score prediction lines of one task; an answer that cannot be read is wrong and stays in the denominator.

    ``boxes`` is the notation of grounding answers (:func:`skymoe.boxes.parse_boxes`); "auto" is decided once for all
    records. ``seed`` is the bootstrap's. ``spice`` adds SPICE to captions where it can be computed; where it cannot,
    the notes say why. Raises UserError for an unknown protocol or notation, for SPICE of anything but captions by
    protocol standard, and where a metric's package is missing.
    """
    assert records, "nothing to score"
    check_protocol(protocol)
    if spice and (task, protocol) != ("caption", "standard"):
        raise UserError(f"SPICE judges captions by protocol standard, not {task} by {protocol}: leave it out")
    judge = partial(captions, with_spice=True) if spice else JUDGES[protocol][task]
    verdict = judge(records, boxes, seed)
    items = [
        {"id": record.get("id", number), **item}
        for number, (record, item) in enumerate(zip(records, verdict.items, strict=True))
    ]
    return Score(
        task=task,
        protocol=protocol,
        n=len(records),
        unparsable=sum(item["parsed"] is None for item in items) / len(items),
        metrics=verdict.metrics,
        by=verdict.by,
        notes=verdict.notes,
        implementation={**implementation(task, protocol), **verdict.implementation},
        items=items,
    )


def details(
    task: str,
    records: Sequence[Record],
    *,
    protocol: str = "standard",
    boxes: str = "geochat",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One ``{"id", "parsed", "correct"}`` a record, in order; ``parsed`` is None where nothing could be read.

    ``parsed`` is the caption, the normalised answer, the box in pixels, the integer, the label. Captions are neither
    right nor wrong (``correct`` is None) and have their scores by metric; boxes have their ``iou``, and are right at
    0.5 or more. :attr:`Score.items` has the same without scoring twice.
    """
    return score_records(task, records, protocol=protocol, boxes=boxes, seed=seed).items


def check_protocol(protocol: str) -> None:
    """Raises UserError for an unknown one."""
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}: choose standard or paper")


def require(task: str, protocol: str = "standard") -> None:
    """Raises UserError where the task's metrics need a package that is not there: to be told before a model runs."""
    check_protocol(protocol)
    if (task, protocol) == ("caption", "standard"):
        caption.require()


def implementation(task: str, protocol: str = "standard") -> dict[str, str]:
    """Which code computes the metrics of a task, with versions."""
    found = {"skymoe": skymoe.__version__}
    if protocol == "paper":
        return {**found, **paper_implementation(task)}
    return {**found, **(caption.implementation() if task == "caption" else {})}
