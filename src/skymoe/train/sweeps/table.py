"""From the runs' results to the table: means and deviations over the repeats, and how large noise is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist, fmean, variance
from typing import Any

from skymoe.evaluation.scoring import PERCENT

from .judging import results
from .schema import Cell, Judged, Sweep
from .settings import Run


@dataclass(frozen=True)
class Entry:
    """One cell in one column: the values of its finished repeats (by seed), and of those that also answered blind."""

    values: dict[int, float] = field(default_factory=dict)
    blind: dict[int, float] = field(default_factory=dict)
    constant: float | None = None

    @property
    def mean(self) -> float | None:
        return fmean(self.values.values()) if self.values else None

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation (n − 1); None for a single repeat."""
        return math.sqrt(variance(self.values.values())) if len(self.values) > 1 else None

    @property
    def blind_mean(self) -> float | None:
        return fmean(self.blind.values()) if self.blind else None


@dataclass(frozen=True)
class Noise:
    """How much repeats of one cell differ: the standard deviation pooled over all cells, with its degrees of freedom.

    `least` is the difference between two cells' means, of `repeats` each, that noise exceeds in one of twenty pairs
    (two-sided t test). It is of one comparison: of many, one in twenty exceeds it by chance alone.
    """

    deviation: float
    freedom: int
    repeats: int

    @property
    def least(self) -> float:
        return student(self.freedom) * self.deviation * math.sqrt(2 / self.repeats)


@dataclass(frozen=True)
class Table:
    """`entries` by cell and column."""

    sweep: Sweep
    entries: dict[tuple[Cell, str], Entry]
    runs: dict[Cell, dict[int, dict[str, dict[str, Any]]]]

    def finished(self, cell: Cell) -> int:
        """How many of its repeats are judged on everything."""
        return sum(len(found) == len(self.sweep.judge) for found in self.runs[cell].values())

    def noise(self, judged: Judged) -> Noise | None:
        """None where no cell has two repeats."""
        samples = [list(self.entries[cell, judged.name].values.values()) for cell in self.sweep.cells]
        return pooled([values for values in samples if len(values) > 1])


def make_table(sweep: Sweep, runs: Sequence[Run]) -> Table:
    """The table of what is there so far."""
    found: dict[Cell, dict[int, dict[str, dict[str, Any]]]] = {cell: {} for cell in sweep.cells}
    for run in runs:
        found[run.cell][run.seed] = results(sweep, run)
    entries = {}
    for cell, repeats in found.items():
        for judged in sweep.judge:
            own = {seed: one[judged.name] for seed, one in repeats.items() if judged.name in one}
            constants = [
                value for one in own.values() if (value := _value(one, "constant", judged)) is not None
            ]
            entries[cell, judged.name] = Entry(
                {seed: one["metrics"][judged.metric]["value"] for seed, one in own.items()},
                {s: value for s, one in own.items() if (value := _value(one, "blind", judged)) is not None},
                constants[0] if constants else None,
            )
    return Table(sweep, entries, found)


def _value(one: dict[str, Any], which: str, judged: Judged) -> float | None:
    estimate = one.get(which, {}).get(judged.metric)
    return None if estimate is None else estimate["value"]


def pooled(samples: Sequence[Sequence[float]]) -> Noise | None:
    """The noise in samples of two or more repeats each; means are compared at the size of the smallest."""
    freedom = sum(len(values) - 1 for values in samples)
    if not freedom:
        return None
    squares = sum((len(values) - 1) * variance(values) for values in samples)
    return Noise(math.sqrt(squares / freedom), freedom, min(map(len, samples)))


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: exact for one and two degrees, by Cornish and Fisher's series above (within
    0.4 % from four on, 2 % at three)."""
    if freedom == 1:
        return math.tan(math.pi * 0.475)
    if freedom == 2:
        return 0.95 * math.sqrt(2 / (1 - 0.95**2))
    z, n = NormalDist().inv_cdf(0.975), freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def shown(judged: Judged, value: float | None, deviation: float | None = None) -> str:
    """As the table has it: rates in percent, with the deviation if there is one."""
    if value is None:
        return "·"
    scale, digits = (100, 1) if judged.metric in PERCENT else (1, 3)
    text = f"{scale * value:.{digits}f}"
    return text if deviation is None else f"{text} ± {scale * deviation:.{digits}f}"


__all__ = ["Entry", "Noise", "Table", "make_table", "pooled", "shown", "student"]
