"""What the masking audit's answers say: does the predicted count follow the true one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skymoe.evaluation.audits.measures import Measure, measure
from skymoe.evaluation.intervals import Array, bootstrap, mean, wilson
from skymoe.tasks.numbers import parse_count

GROUPS = ((1, 2), (3, 5), (6, 10), (11, 20), (21, None))
"""Pictures are drawn in groups of like counts (first, last)."""


@dataclass(frozen=True)
class Series:
    """One picture under growing masks.

    ``said`` maps the true number of objects left to the answer, None where it could not be read; ``control`` is the
    answer to the control picture, None also where there is none.
    """

    original: str
    total: int
    said: Mapping[int, int | None]
    control: int | None = None
    controlled: bool = False

    @property
    def first(self) -> int:
        """The answer to the unmasked picture; 0 where it could not be read."""
        return self.said[self.total] or 0

    @property
    def counts(self) -> dict[int, int]:
        """The answers as numbers. One that cannot be read counts as not moved: no model gains by refusing."""
        return {left: self.first if value is None else value for left, value in self.said.items()}

    @property
    def left_at_the_end(self) -> float:
        """The count that stays when nothing is left, as a share of the true one."""
        return self.counts[0] / self.total

    def at(self, share: float) -> float:
        """The answer with this share of the objects left, between two steps in proportion."""
        lefts = sorted(self.counts)
        return float(np.interp(share * self.total, lefts, [self.counts[left] for left in lefts]))


def follow(records: Sequence[Mapping[str, Any]]) -> list[Series]:
    """Prediction lines of the audit, picture by picture."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        one = found.setdefault(record["original"], {"total": record["total"], "said": {}})
        number = parse_count(record["prediction"])
        if record["control"]:
            one |= {"control": number, "controlled": True}
        else:
            one["said"][record["reference"]] = number
    return [Series(name, **one) for name, one in found.items()]


def numbers(series: Sequence[Series], steps: int, seed: int = 0) -> dict[str, Any]:
    """Measures with intervals, and the points of the two curves. Intervals come from resampled pictures."""
    everything = [value for one in series for value in one.said.values()]
    unread = sum(value is None for value in everything)
    measures = _measures(series, seed)
    if unread:
        measures.append(measure("cannot be read", wilson(unread, len(everything)), ideal="0"))
    shares = [step / steps for step in range(steps, -1, -1)]
    return {
        "pictures": len(series),
        "unparsable": unread / len(everything),
        "measures": measures,
        "curve": [{"share": share, **_relative(series, share, seed)} for share in shares],
        "groups": [
            {"name": _name(*bounds), "pictures": len(members), "points": _line(members, shares)}
            for bounds in GROUPS
            if (members := [one for one in series if _within(one.total, *bounds)])
        ],
    }


def _measures(series: Sequence[Series], seed: int) -> list[Measure]:
    n = len(series)
    ends = [one.counts[0] for one in series]
    totals = np.array([one.total for one in series], dtype=np.float64)
    kept = np.stack([np.array(ends, dtype=np.float64), totals], axis=1)
    found = [
        measure("slope of predicted against true count", slope(series, seed), "number", "1"),
        measure("answers that did not move", unmoved(series, seed), "share", "0"),
        measure(
            "the same, everything masked",
            wilson(sum(end == one.first for end, one in zip(ends, series, strict=True)), n),
            "share",
            "0",
        ),
        measure("count with everything masked", mean(ends, seed=seed), "number", "0"),
        measure("the same, as a share of the true count", bootstrap(kept, _ratio, seed=seed), "share", "0"),
        measure("sees objects with everything masked", wilson(sum(end > 0 for end in ends), n), "share", "0"),
    ]
    controls = [one for one in series if one.controlled]
    if controls:
        same = sum(one.control == one.said[one.total] for one in controls)
        # As above, an answer that cannot be read moves nothing; that it is another one, "same" has told.
        moved = [(one.first if one.control is None else one.control) - one.first for one in controls]
        found += [
            measure(
                "control: the same answer, masks beside the objects",
                wilson(same, len(controls)),
                "share",
                "1",
            ),
            measure("control: change of the count", mean(moved, seed=seed), "number", "0"),
        ]
    return found


def slope(series: Sequence[Series], seed: int = 0) -> Any:
    """Least squares within pictures: Σ(t − t̄)(p − p̄) / Σ(t − t̄)², t the true and p the predicted counts.

    Differences between pictures play no part: a model that only knows crowded pictures from empty ones has slope 0.
    """
    rows = []
    for one in series:
        true = np.array(list(one.counts), dtype=np.float64)
        said = np.array(list(one.counts.values()), dtype=np.float64)
        away = true - true.mean()
        rows.append((float(away @ (said - said.mean())), float(away @ away)))
    return bootstrap(np.array(rows), _ratio, seed=seed)


def unmoved(series: Sequence[Series], seed: int = 0) -> Any:
    """The share of masked pictures (all steps) that got the answer of the unmasked one."""
    rows = []
    for one in series:
        masked = [value for left, value in one.counts.items() if left < one.total]
        rows.append((float(sum(value == one.first for value in masked)), float(len(masked))))
    return bootstrap(np.array(rows), _ratio, seed=seed)


def _ratio(sums: Array) -> Array:
    return sums[:, 0] / sums[:, 1]


def _relative(series: Sequence[Series], share: float, seed: int) -> Any:
    rows = np.array([(one.at(share), float(one.total)) for one in series])
    return bootstrap(rows, _ratio, seed=seed)


def _line(members: Sequence[Series], shares: Sequence[float]) -> list[dict[str, float]]:
    """Mean true and mean predicted count of a group, from unmasked to all masked."""
    return [
        {
            "true": float(np.mean([share * one.total for one in members])),
            "predicted": float(np.mean([one.at(share) for one in members])),
        }
        for share in shares
    ]


def _within(total: int, first: int, last: int | None) -> bool:
    return total >= first and (last is None or total <= last)


def _name(first: int, last: int | None) -> str:
    return f"{first} or more" if last is None else f"{first}–{last}"
