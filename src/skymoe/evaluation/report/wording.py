"""How metrics and numbers are written, in every form of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skymoe.evaluation.intervals import Estimate
from skymoe.evaluation.scoring import LOWER_IS_BETTER, PERCENT

TITLES = {
    "bleu1": "BLEU-1", "bleu2": "BLEU-2", "bleu3": "BLEU-3", "bleu4": "BLEU-4", "meteor": "METEOR",
    "rouge_l": "ROUGE-L", "cider": "CIDEr", "spice": "SPICE", "oa": "accuracy, all (OA)",
    "aa": "accuracy, mean of types (AA)", "acc@0.5": "Acc@0.5", "acc@0.7": "Acc@0.7", "miou": "mean IoU",
    "accuracy": "accuracy", "within10": "within 10 %", "mae": "MAE", "rmse": "RMSE",
    "mean_class_recall": "mean class recall", "recall": "recall",
}  # fmt: skip
TASKS = {
    "caption": "Captioning",
    "vqa": "Question answering",
    "ground": "Visual grounding",
    "count": "Counting",
    "classify": "Scene classification",
}
_COUNTED = {
    "caption": "captions",
    "vqa": "questions",
    "ground": "phrases",
    "count": "counts",
    "classify": "scenes",
}


def title(metric: str) -> str:
    """ "Acc@0.5"; a metric that has no title is written as it is called. ↓: lower is better."""
    return TITLES.get(metric, metric.replace("_", " ")) + (" ↓" if metric in LOWER_IS_BETTER else "")


def counted(task: str) -> str:
    """What the items of a task are called."""
    return _COUNTED.get(task, "items")


def is_share(metric: str) -> bool:
    """Whether a metric is a rate, to be written in per cent."""
    return metric in PERCENT or metric.startswith(("acc@", "accuracy", "recall", "racc@"))


def number(metric: str, value: float, unit: bool = True) -> str:
    """ "62.2 %" for rates, "2.79" for errors, "0.486" for the rest."""
    if is_share(metric):
        return f"{100 * value:.1f}" + (" %" if unit else "")
    return f"{value:.2f}" if metric in LOWER_IS_BETTER else f"{value:.3f}"


def interval(metric: str, estimate: Estimate) -> str:
    """ "59.7–64.7", without the unit."""
    return f"{number(metric, estimate['low'], unit=False)}–{number(metric, estimate['high'], unit=False)}"


def signed(metric: str, value: float, unit: bool = True) -> str:
    """A difference, with its sign: "+3.1", "−0.024"; rates in points."""
    text = number(metric, abs(value), unit=False)
    zero = float(text) == 0
    sign = "" if zero else "+" if value > 0 else "−"
    return sign + text + (" points" if unit and is_share(metric) else "")


def in_order(metrics: Iterable[str] | Mapping[str, object]) -> list[str]:
    """Metrics as a reader expects them: in the order of the titles, unknown ones behind, as they came."""
    names = list(metrics)
    known = [name for name in TITLES if name in names]
    return known + [name for name in names if name not in TITLES]
