"""Every metric as a function of sums over items: what a paired bootstrap resamples.

A metric that cannot be written so (it would have to be computed anew for every draw) is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from skymoe.evaluation.intervals import Array
from skymoe.evaluation.metrics import bleu, meteor, ngrams
from skymoe.evaluation.metrics.cider import cider
from skymoe.evaluation.metrics.ptb import tokenise
from skymoe.evaluation.metrics.rouge import rouge_l
from skymoe.evaluation.scoring import Record, Score
from skymoe.tasks.labels import label_key

Statistic = Callable[[Array], Array]


@dataclass(frozen=True)
class Columns:
    """``rows`` is (items, k); each statistic maps sums of rows (R, k) to (R,).

    Those named in ``stratified`` are means over groups: their items are drawn within ``strata``, so that none empties.
    """

    rows: Array
    statistics: dict[str, Statistic]
    strata: list[str] | None = None
    stratified: frozenset[str] = field(default_factory=frozenset)


def columns_of(task: str, protocol: str, records: Sequence[Record], score: Score) -> Columns:
    """The columns of a score's headline metrics."""
    if task == "caption":
        return _captions(records, score) if protocol == "standard" else _means(_per_image(score))
    right = np.array([item["correct"] for item in score.items], dtype=np.float64)
    if task == "vqa":
        return _grouped(right, [record["question_type"] for record in records], "oa", "aa")
    if task == "classify":
        groups = [label_key(record["reference"]) for record in records]
        return _grouped(right, groups, "accuracy", "mean_class_recall")
    if task == "ground":
        overlaps = np.array([item["iou"] for item in score.items], dtype=np.float64)
        return _means({"acc@0.5": right, "acc@0.7": (overlaps >= 0.7).astype(np.float64), "miou": overlaps})
    return _counts(right, records, score)


def _means(values: dict[str, Array]) -> Columns:
    rows = np.stack([*values.values(), np.ones(len(next(iter(values.values()))))], axis=1)
    last = rows.shape[1] - 1
    return Columns(rows, {name: partial(_quotient, above=n, below=last) for n, name in enumerate(values)})


def _per_image(score: Score) -> dict[str, Array]:
    return {name: np.array([item[name] for item in score.items], dtype=np.float64) for name in score.metrics}


def _grouped(right: Array, groups: list[str], over_all: str, over_groups: str) -> Columns:
    """The share over all, and the mean of the groups' shares: one column of hits a group, and one of ones."""
    names = sorted(set(groups))
    place = {name: column for column, name in enumerate(names)}
    rows = np.zeros((len(groups), len(names) + 1))
    rows[np.arange(len(groups)), [place[name] for name in groups]] = right
    rows[:, -1] = 1
    sizes = np.bincount([place[name] for name in groups]).astype(np.float64)
    statistics: dict[str, Statistic] = {
        over_all: lambda sums: sums[:, :-1].sum(axis=1) / sums[:, -1],
        over_groups: lambda sums: (sums[:, :-1] / sizes).mean(axis=1),
    }
    return Columns(rows, statistics, groups, frozenset((over_groups,)))


def _counts(right: Array, records: Sequence[Record], score: Score) -> Columns:
    given = [item["parsed"] for item in score.items]
    wanted = [record["reference"] for record in records]
    errors = np.array([abs((p or 0) - r) for p, r in zip(given, wanted, strict=True)], dtype=np.float64)
    near = [p is not None and 10 * abs(p - r) <= r for p, r in zip(given, wanted, strict=True)]
    found = _means(
        {"accuracy": right, "within10": np.array(near, dtype=np.float64), "mae": errors, "rmse": errors**2}
    )
    mean_square = found.statistics["rmse"]
    return Columns(found.rows, {**found.statistics, "rmse": lambda sums: np.sqrt(mean_square(sums))})


def _captions(records: Sequence[Record], score: Score) -> Columns:
    """COCO's metrics: BLEU and METEOR from summed statistics, the others as means over images."""
    references = [record["references"] for record in records]
    tokens = tokenise(
        [*(r["prediction"] for r in records), *(line for lines in references for line in lines)]
    ).captions
    rest = iter(tokens[len(records) :])
    given, wanted = tokens[: len(records)], [[next(rest) for _ in lines] for lines in references]
    counted = ngrams.count(given, wanted)
    rouge = np.array([rouge_l(*pair) for pair in zip(given, wanted, strict=True)])
    means = _means({"rouge_l": rouge, "cider": cider(counted)})
    blocks, start = [bleu.rows(counted)], bleu.COLUMNS
    statistics: dict[str, Statistic] = {
        f"bleu{order}": partial(bleu.bleu, order=order) for order in range(1, 5)
    }
    if "meteor" in score.metrics:  # it could be computed, and its process still runs
        blocks.append(meteor.statistics(given, wanted))
        statistics["meteor"] = partial(_part, of=meteor.from_sums, start=start, end=start + meteor.STATISTICS)
        start += meteor.STATISTICS
    for name, statistic in means.statistics.items():
        statistics[name] = partial(_part, of=statistic, start=start, end=start + means.rows.shape[1])
    return Columns(np.concatenate([*blocks, means.rows], axis=1), statistics)


def _part(sums: Array, *, of: Statistic, start: int, end: int) -> Array:
    return of(sums[:, start:end])


def _quotient(sums: Array, *, above: int, below: int) -> Array:
    return sums[:, above] / sums[:, below]
