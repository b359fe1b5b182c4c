"""Visual grounding: accuracy at IoU ≥ 0.5 and ≥ 0.7, and the mean IoU; horizontal boxes in pixels.

There is one box a query and no score to rank by, so the literature's "mAP@0.5" is this Acc@0.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from skymoe.boxes import iou
from skymoe.evaluation.intervals import Metrics, mean, wilson
from skymoe.sample import XYXY

THRESHOLDS = (0.5, 0.7)


def overlaps(predictions: Sequence[XYXY | None], references: Sequence[XYXY]) -> list[float]:
    """The IoU of every pair; 0 where there is no predicted box."""
    pairs = zip(predictions, references, strict=True)
    return [0.0 if predicted is None else iou(predicted, reference) for predicted, reference in pairs]


def score(predictions: Sequence[XYXY | None], references: Sequence[XYXY], *, seed: int = 0) -> Metrics:
    """None stands for an answer without a box: wrong, with IoU 0."""
    found = overlaps(predictions, references)
    rates = {f"acc@{t}": wilson(sum(value >= t for value in found), len(found)) for t in THRESHOLDS}
    return {**rates, "miou": mean(found, seed=seed)}
