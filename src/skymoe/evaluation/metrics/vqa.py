"""Visual question answering: normalised exact match, over all (OA), per question type, and the types' mean (AA)."""

from __future__ import annotations

from collections.abc import Sequence

from skymoe.evaluation.intervals import Metrics, mean_of_groups, wilson
from skymoe.tasks.labels import find_labels, same_label
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.vqa import normalise_answer


def is_correct(prediction: str, reference: str, kind: str, labels: Sequence[str] = ()) -> bool:
    """Whether a raw answer text is the reference.

    Both are normalised (`skymoe.tasks.vqa.normalise_answer`). Counts are compared as numbers ("two" is "2"). With
    ``labels`` the answer counts by the label it contains as whole words, if that is exactly one. An empty answer is
    never correct.
    """
    given, wanted = normalise_answer(prediction), normalise_answer(reference)
    if not given:
        return False
    if kind == "count" and (number := parse_count(wanted)) is not None:
        return parse_count(given) == number
    if labels:
        found = find_labels(given, labels)
        return len(found) == 1 and same_label(found[0], wanted)
    return given == wanted


def hits(
    predictions: Sequence[str],
    references: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
) -> list[bool]:
    """:func:`is_correct` for every item; ``labels`` gives a closed list (or an empty one) an item."""
    lists = labels if labels is not None else [()] * len(references)
    return [is_correct(*item) for item in zip(predictions, references, kinds, lists, strict=True)]


def score(
    predictions: Sequence[str],
    references: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
    *,
    seed: int = 0,
) -> Metrics:
    """``oa``: share of all questions; ``aa``: unweighted mean of the question types' shares."""
    right = hits(predictions, references, kinds, labels)
    return {"oa": wilson(sum(right), len(right)), "aa": mean_of_groups(right, kinds, seed=seed)}


def by_kind(
    predictions: Sequence[str],
    references: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
) -> dict[str, Metrics]:
    """The accuracy of every question type."""
    right = hits(predictions, references, kinds, labels)
    found = {}
    for name in sorted(set(kinds)):
        own = [hit for hit, kind in zip(right, kinds, strict=True) if kind == name]
        found[name] = {"accuracy": wilson(sum(own), len(own))}
    return found
