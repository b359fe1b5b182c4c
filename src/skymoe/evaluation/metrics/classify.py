"""Scene classification: accuracy and mean per-class recall."""

from __future__ import annotations

from collections.abc import Sequence

from skymoe.evaluation.intervals import Metrics, mean_of_groups, wilson
from skymoe.tasks.labels import same_label


def hits(predictions: Sequence[str | None], references: Sequence[str]) -> list[bool]:
    """Whether each label is the right one, however it is spelt (case, hyphens, underscores, camelCase)."""
    pairs = zip(predictions, references, strict=True)
    return [predicted is not None and same_label(predicted, reference) for predicted, reference in pairs]


def score(predictions: Sequence[str | None], references: Sequence[str], *, seed: int = 0) -> Metrics:
    """None stands for an answer that names no label of the list, or two: wrong."""
    right = hits(predictions, references)
    return {
        "accuracy": wilson(sum(right), len(right)),
        "mean_class_recall": mean_of_groups(right, list(references), seed=seed),
    }


def by_class(predictions: Sequence[str | None], references: Sequence[str]) -> dict[str, Metrics]:
    """The recall of every class that occurs among the references."""
    right = hits(predictions, references)
    found = {}
    for name in sorted(set(references)):
        own = [hit for hit, reference in zip(right, references, strict=True) if reference == name]
        found[name] = {"recall": wilson(sum(own), len(own))}
    return found
