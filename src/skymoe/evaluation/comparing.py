"""Which of two models is better, and whether the difference is real: a paired bootstrap over the same questions.

Both models' answers to a question are drawn together, so that what makes a question hard cancels out; the interval of
the difference is much narrower than the two intervals beside each other suggest. Differences are always B − A.
Where several numbers are compared at once some would look real by chance: Holm's correction holds the chance of any
such error to 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skymoe.errors import UserError
from skymoe.evaluation.checking import quoted
from skymoe.evaluation.columns import Columns, columns_of
from skymoe.evaluation.intervals import Array, Estimate
from skymoe.evaluation.scoring import Record, Score, score_records

RESAMPLES = 10_000
LEVEL = 0.05
_CELLS = 4_000_000  # weights drawn at a time: 32 MB
_TRUTH = ("reference", "references", "question_type", "labels", "width", "height")


@dataclass(frozen=True)
class Difference:
    """One metric of both, and B − A with its 95 % interval; ``p`` is two-sided, ``adjusted`` by Holm's correction."""

    a: float
    b: float
    difference: Estimate
    p: float
    adjusted: float = 1.0

    @property
    def real(self) -> bool:
        return self.adjusted < LEVEL

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        estimate = dict(self.difference)
        return {
            "a": self.a,
            "b": self.b,
            "difference": estimate,
            "p": self.p,
            "p_holm": self.adjusted,
            "real": self.real,
        }


@dataclass(frozen=True)
class Comparison:
    """Two sets of answers to the same ``n`` questions. ``right`` counts who has them right: a, b, both, neither."""

    task: str
    protocol: str
    n: int
    metrics: dict[str, Difference]
    right: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        metrics = {name: found.to_dict() for name, found in self.metrics.items()}
        known = {"task": self.task, "protocol": self.protocol, "n": self.n, "metrics": metrics}
        return {**known, "right": self.right, "notes": self.notes}


def compare(
    task: str,
    a: Sequence[Record],
    b: Sequence[Record],
    *,
    protocol: str = "standard",
    boxes: tuple[str, str] = ("geochat", "geochat"),
    common: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two lists of records, paired by id. ``boxes`` are the notations of A's and B's grounding answers.

    Raises UserError where the two do not answer the same questions; with ``common`` those that both answer are
    compared, and how many are left out is noted.
    """
    pairs, notes = paired(a, b, common=common)
    both: list[tuple[Score, Columns]] = []
    for side, notation in enumerate(boxes):
        records = [pair[side] for pair in pairs]
        score = score_records(task, records, protocol=protocol, boxes=notation, seed=seed)
        both.append((score, columns_of(task, protocol, records, score)))
    (score_a, columns_a), (score_b, columns_b) = both
    for score in (score_a, score_b):
        notes |= score.notes
    metrics = _differences(columns_a, columns_b, seed, resamples)
    found = Comparison(task, protocol, len(pairs), metrics, _right(score_a, score_b), notes)
    return corrected({"": found})[""]


def paired(
    a: Sequence[Record], b: Sequence[Record], *, common: bool = False
) -> tuple[list[tuple[Record, Record]], dict[str, str]]:
    """Records of the same id, in A's order, and a note where some have no partner.

    Raises UserError where ids differ (unless ``common``), where none is shared, or where the two files do not agree
    about a question's reference.
    """
    others = {str(record["id"]): record for record in b}
    pairs = [(record, others[str(record["id"])]) for record in a if str(record["id"]) in others]
    left_out = (len(a) - len(pairs), len(b) - len(pairs))
    notes = {}
    if any(left_out):
        said = f"{left_out[0]:,} ids are only in A, {left_out[1]:,} only in B"
        if not pairs:
            raise UserError(f"nothing can be compared: {said}, none in both")
        if not common:
            raise UserError(f"not the same questions: {said}; compare those in both with --common")
        notes["left out"] = said
    for first, second in pairs:
        for key in _TRUTH:
            if first.get(key) != second.get(key):
                said = f"its {key!r} is {quoted(first.get(key))} in A and {quoted(second.get(key))} in B"
                raise UserError(
                    f"A and B do not agree about {quoted(first['id'])}: {said}; compare answers to the same questions"
                )
    return pairs, notes


def corrected(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The same comparisons with Holm's correction over all of their numbers together."""
    every = [
        (found.p, name, metric) for name, one in comparisons.items() for metric, found in one.metrics.items()
    ]
    adjusted: dict[tuple[str, str], float] = {}
    highest = 0.0
    for rank, (p, name, metric) in enumerate(sorted(every)):
        highest = max(highest, min(1.0, (len(every) - rank) * p))
        adjusted[name, metric] = highest
    return {
        name: Comparison(
            one.task,
            one.protocol,
            one.n,
            {
                metric: Difference(found.a, found.b, found.difference, found.p, adjusted[name, metric])
                for metric, found in one.metrics.items()
            },
            one.right,
            one.notes,
        )
        for name, one in comparisons.items()
    }


def _differences(a: Columns, b: Columns, seed: int, resamples: int) -> dict[str, Difference]:
    found = {}
    shared = [name for name in a.statistics if name in b.statistics]
    for strata in (None, a.strata):
        names = [name for name in shared if (name in a.stratified) == (strata is not None)]
        if not names:
            continue
        width = a.rows.shape[1]
        rows = np.concatenate([a.rows, b.rows], axis=1)
        parts: dict[str, list[Array]] = {name: [] for name in names}
        for sums in _resampled(rows, strata, np.random.default_rng(seed), resamples):
            for name in names:
                parts[name].append(b.statistics[name](sums[:, width:]) - a.statistics[name](sums[:, :width]))
        drawn = {name: np.concatenate(parts[name]) for name in names}
        whole = rows.sum(axis=0, keepdims=True)
        for name in names:
            first = float(a.statistics[name](whole[:, :width])[0])
            second = float(b.statistics[name](whole[:, width:])[0])
            found[name] = _difference(first, second, drawn[name])
    return {name: found[name] for name in shared}


def _difference(a: float, b: float, drawn: Array) -> Difference:
    low, high = (float(end) for end in np.quantile(drawn, (0.025, 0.975)))
    value = b - a
    estimate: Estimate = {"value": value, "low": min(low, value), "high": max(high, value)}
    # The sample itself is one of the draws: no p is 0.
    tails = [
        (1 + int((drawn <= 0).sum())) / (1 + len(drawn)),
        (1 + int((drawn >= 0).sum())) / (1 + len(drawn)),
    ]
    return Difference(a, b, estimate, min(1.0, 2 * min(tails)))


def _resampled(
    rows: Array, strata: Sequence[str] | None, rng: np.random.Generator, resamples: int
) -> Iterator[Array]:
    """Blocks (≤ resamples, k) of column sums over resampled items, drawn within their stratum."""
    # Equal rows are interchangeable: a quarter of a million right or wrong answers are four kinds of rows.
    kinds: list[tuple[Array, Array, int]] = []
    keys = np.array(strata if strata is not None else [""] * len(rows))
    for key in np.unique(keys):
        different, times = np.unique(rows[keys == key], axis=0, return_counts=True)
        kinds.append((different, times / times.sum(), int(times.sum())))
    block = max(1, _CELLS // max(len(different) for different, _, _ in kinds))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        sums = np.zeros((size, rows.shape[1]))
        for different, shares, n in kinds:
            sums += rng.multinomial(n, shares, size=size).astype(np.float64) @ different
        yield sums


def _right(a: Score, b: Score) -> dict[str, int]:
    pairs = [(x["correct"], y["correct"]) for x, y in zip(a.items, b.items, strict=True)]
    if any(value is None for pair in pairs for value in pair):
        return {}
    names: dict[tuple[bool, bool], str] = {
        (True, False): "only a", (False, True): "only b", (True, True): "both", (False, False): "neither",
    }  # fmt: skip
    return {name: sum(pair == who for pair in pairs) for who, name in names.items()}
