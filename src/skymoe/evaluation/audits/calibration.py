"""Calibration: is the model right as often as it is sure?

The confidence is the probability that the engine gives for the whole answer (`Answer.confidence`). Right is what the
benchmark calls right: the exact count, a box at IoU ≥ 0.5.
"""

from __future__ import annotations

from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Bench
from skymoe.evaluation.audits.measures import measure
from skymoe.evaluation.intervals import wilson
from skymoe.evaluation.metrics.calibration import coverage, reliability

BINS = 10


def run(bench: Bench) -> dict[str, Any]:
    """Confidence against accuracy on the benchmark as it is.

    Raises:
        UserError: for a model that does not tell how sure it is.
    """
    records = bench.plain()
    pairs = [
        (record["confidence"], item["correct"])
        for record, item in zip(records, bench.score(records).items, strict=True)
        if record.get("confidence") is not None
    ]
    if not pairs:
        raise UserError(f"{bench.model['name']} does not tell how sure it is of its answers")
    sure, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = reliability(sure, right, BINS, seed=bench.settings.seed)
    curve = coverage(sure, right)
    surest = sorted(pairs, key=lambda pair: -pair[0])[: max(1, len(pairs) // 2)]
    measures = [
        measure("expected calibration error (ECE)", found.ece, ideal="0"),
        measure("mean confidence minus right answers", found.overconfidence, ideal="0"),
        measure("right answers", found.accuracy, ideal="high"),
        measure(
            "right among the surer half", wilson(sum(hit for _, hit in surest), len(surest)), ideal="high"
        ),
        measure("Brier score", found.brier, "number", "0"),
        measure("area under the risk-coverage curve", curve.aurc, "number", f"{curve.best:.3g}"),
    ]
    points = zip(curve.coverage, curve.accuracy, curve.threshold, strict=True)
    return {
        "without_confidence": len(records) - len(pairs),
        "measures": measures,
        "reliability": found.to_dict(),
        "coverage": [{"coverage": c, "accuracy": a, "threshold": t} for c, a, t in points],
    }
