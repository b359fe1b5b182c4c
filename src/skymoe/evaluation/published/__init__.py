"""The numbers of the SkyMoE paper, as data, and which of our benchmarks they may stand beside.

``published.csv`` has every cell of the paper's tables 1–8 as printed. ``samples.csv`` has how many questions a rate was
counted over where the arithmetic tells: 98.11 % is 52 of 53 and no other small fraction. Neither code nor protocol nor
samples were published; the rules that most likely made the numbers are our protocol ``paper``. So a number of ours
stands beside a published one only if it was scored by ``paper`` too, never as ``standard`` scored it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skymoe.evaluation.intervals import Estimate, wilson

_HERE = Path(__file__).resolve().parent
OURS = "SkyMoE"
"""The paper's own system: the number to be reached."""
# Tables of one value per data set and system. 6 repeats rows of 1–5, 7 is about cost, 8 is an ablation whose captioning
# column (78.8 on UCM) is not the BLEU-4 of table 1 (43.0).
_COMPARABLE = ("1", "2", "3", "4", "5")

_TASKS = {
    "caption": "captioning",
    "vqa": "vqa",
    "ground": "grounding",
    "classify": "classification",
    "count": "counting",
}


@dataclass(frozen=True, slots=True)
class Published:
    """One printed value. ``value`` is a fraction (0–1), ``n`` the number of questions where it could be inferred."""

    table: str
    task: str
    dataset: str
    metric: str
    system: str
    value: float
    n: int | None

    def estimate(self) -> Estimate:
        """With Wilson's interval where ``n`` is known; without one the ends are the value itself."""
        if self.n is None:
            return {"value": self.value, "low": self.value, "high": self.value}
        return {**wilson(round(self.value * self.n), self.n), "value": self.value}


@cache
def published() -> tuple[Published, ...]:
    """The cells of tables 1–5, in the paper's order."""
    sizes = {(line["dataset"], line["part"]): int(line["n"]) for line in _lines("samples.csv")}
    return tuple(
        Published(
            line["paper_table"], line["task"], line["dataset"], line["metric"], line["system"],
            float(line["value"]) / 100,
            sizes.get((line["dataset"], line["metric"]), sizes.get((line["dataset"], ""))),
        )
        for line in _lines("published.csv")
        if line["paper_table"] in _COMPARABLE
    )  # fmt: skip


def every_cell() -> list[dict[str, str]]:
    """All cells of ``published.csv`` as they are printed, ablation and cost included."""
    return list(_lines("published.csv"))


def of_dataset(task: str, dataset: str) -> list[Published]:
    """What the paper printed about one of its data sets, for the task of ours; nothing for one it does not have."""
    return [cell for cell in published() if cell.dataset == dataset and cell.task == _TASKS.get(task)]


def _lines(name: str) -> Iterator[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
