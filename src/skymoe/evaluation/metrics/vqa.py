"""Visual question answering: normalised exact match, over all (OA), per question type, and the types' mean (AA).

Numbers that RSVQA judges by classes (counts of RSVQA-LR, areas of RSVQA-HR) are right within the class.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from skymoe.evaluation.intervals import Metrics, mean_of_groups, wilson
from skymoe.evaluation.metrics.groups import by_group
from skymoe.evaluation.metrics.quantities import given_bin, read_bin
from skymoe.tasks.labels import find_labels, same_label
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.vqa import normalise_answer

NUMBERS = frozenset(("count", "area"))
"""Question types that much of the literature leaves out of its averages."""
COUNTS = frozenset(("count", "counting", "object quantity"))
"""Question types whose answers are compared as numbers, as RSVQA and VRSBench call them."""
BINNED = frozenset(("area",))
"""Question types whose references are always judged by class; any other is where the reference names a class."""


def is_correct(
    prediction: str,
    reference: str,
    kind: str,
    labels: Sequence[str] = (),
    *,
    binned: Collection[str] = BINNED,
) -> bool:
    """Whether a raw answer text is the reference.

    Both are normalised (`skymoe.tasks.vqa.normalise_answer`). A reference that names a class of numbers ("between 11
    and 100") is met by that class and by any number in it; so is the class of a plain number where ``kind`` is one of
    ``binned`` (RSVQA-LR with its raw counts: ``binned=("area", "count")``). Other counts are compared as numbers
    ("two" is "2"). With ``labels`` the answer counts by the label it contains as whole words, if that is exactly one.
    An empty answer is never correct.
    """
    given, wanted = normalise_answer(prediction), normalise_answer(reference)
    if not given:
        return False
    if wanted_bin := given_bin(wanted) if kind in binned else read_bin(wanted):
        return given_bin(given) == wanted_bin
    if kind.lower() in COUNTS and (number := parse_count(wanted)) is not None:
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
    *,
    binned: Collection[str] = BINNED,
) -> list[bool]:
    """:func:`is_correct` for every item; ``labels`` gives a closed list (or an empty one) an item."""
    lists = labels if labels is not None else [()] * len(references)
    items = zip(predictions, references, kinds, lists, strict=True)
    # Test sets ask a quarter of a million questions with a few hundred different answers.
    known: dict[tuple[object, ...], bool] = {}
    found = []
    for prediction, reference, kind, choice in items:
        key = (prediction, reference, kind, tuple(choice))
        if key not in known:
            known[key] = is_correct(prediction, reference, kind, choice, binned=binned)
        found.append(known[key])
    return found


def score(
    predictions: Sequence[str],
    references: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
    *,
    seed: int = 0,
    binned: Collection[str] = BINNED,
) -> Metrics:
    """``oa``: share of all questions; ``aa``: unweighted mean of the question types' shares.

    Where there are numbers among other types, ``oa_without_numbers`` and ``aa_without_numbers`` leave counts and areas
    out, as many papers do without saying so.
    """
    right = hits(predictions, references, kinds, labels, binned=binned)
    return aggregates(right, kinds, seed=seed)


def aggregates(right: Sequence[bool], kinds: Sequence[str], *, seed: int = 0) -> Metrics:
    """The metrics of :func:`score` from whether each answer is right."""
    found = {"oa": wilson(sum(right), len(right)), "aa": mean_of_groups(right, kinds, seed=seed)}
    rest = [(hit, kind) for hit, kind in zip(right, kinds, strict=True) if kind not in NUMBERS]
    if 0 < len(rest) < len(right):
        hits_left, kinds_left = [hit for hit, _ in rest], [kind for _, kind in rest]
        found["oa_without_numbers"] = wilson(sum(hits_left), len(rest))
        found["aa_without_numbers"] = mean_of_groups(hits_left, kinds_left, seed=seed)
    return found


def by_kind(
    predictions: Sequence[str],
    references: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
    *,
    binned: Collection[str] = BINNED,
) -> dict[str, Metrics]:
    """The accuracy of every question type."""
    return accuracy_by(hits(predictions, references, kinds, labels, binned=binned), kinds)


def accuracy_by(right: Sequence[bool], groups: Sequence[str]) -> dict[str, Metrics]:
    """The accuracy of every group, from whether each answer is right."""
    return by_group(lambda own: {"accuracy": wilson(sum(own), len(own))}, groups, right)
