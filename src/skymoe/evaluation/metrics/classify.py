"""Scene classification: accuracy and mean per-class recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from skymoe.evaluation.intervals import Metrics, mean_of_groups, wilson
from skymoe.evaluation.metrics.groups import by_group
from skymoe.tasks.labels import label_key, same_label


def hits(predictions: Sequence[str | None], references: Sequence[str]) -> list[bool]:
    """Whether each label is the right one, however it is spelt (case, hyphens, underscores, camelCase)."""
    pairs = zip(predictions, references, strict=True)
    return [predicted is not None and same_label(predicted, reference) for predicted, reference in pairs]


def score(predictions: Sequence[str | None], references: Sequence[str], *, seed: int = 0) -> Metrics:
    """None stands for an answer that names no label of the list, or two: wrong.

    Classes that are only spelt differently among the references are one class.
    """
    right = hits(predictions, references)
    return {
        "accuracy": wilson(sum(right), len(right)),
        "mean_class_recall": mean_of_groups(right, _one_spelling(references), seed=seed),
    }


def by_class(predictions: Sequence[str | None], references: Sequence[str]) -> dict[str, Metrics]:
    """The recall of every class that occurs among the references."""
    return by_group(_recall, _one_spelling(references), hits(predictions, references))


def confusions(
    predictions: Sequence[str | None], references: Sequence[str]
) -> list[tuple[str, str | None, int]]:
    """(true class, label given instead or None, how often), the most frequent confusion first."""
    spelling: dict[str, str] = {}
    for label in (*references, *(p for p in predictions if p is not None)):
        spelling.setdefault(label_key(label), label)
    wrong = Counter(
        (spelling[label_key(reference)], None if predicted is None else spelling[label_key(predicted)])
        for predicted, reference in zip(predictions, references, strict=True)
        if predicted is None or not same_label(predicted, reference)
    )
    ordered = sorted(wrong.items(), key=lambda entry: (-entry[1], entry[0][0], entry[0][1] or ""))
    return [(*pair, times) for pair, times in ordered]


def _recall(right: Sequence[bool]) -> Metrics:
    return {"recall": wilson(sum(right), len(right))}


def _one_spelling(labels: Sequence[str]) -> list[str]:
    spelling: dict[str, str] = {}
    return [spelling.setdefault(label_key(label), label) for label in labels]
