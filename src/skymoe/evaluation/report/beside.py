"""Ours beside the paper's numbers: by protocol ``paper`` alone, with what can and what cannot be said of it.

The published numbers were never scored by ``standard``; so the value of ours that stands beside them is always the one
in ``result["paper"]``, the same predictions scored by the presumable rules of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skymoe.evaluation.benchmarks import BENCHMARKS
from skymoe.evaluation.intervals import Estimate
from skymoe.evaluation.published import OURS, Published, of_dataset
from skymoe.evaluation.report.tabular import estimate_of
from skymoe.evaluation.report.wording import interval, signed, title

ABOVE, BELOW, OPEN = "above", "below", "not told apart"


@dataclass(frozen=True)
class Beside:
    """One published metric of one of our benchmarks. ``cells`` are all systems' values, the best first."""

    name: str
    title: str
    dataset: str
    metric: str
    n: int | None
    ours: Estimate
    cells: tuple[Published, ...]

    @property
    def skymoe(self) -> Published:
        return next(cell for cell in self.cells if cell.system == OURS)

    @property
    def difference(self) -> Estimate:
        """Ours less the paper's SkyMoE."""
        return difference(self.ours, self.skymoe.estimate())

    @property
    def verdict(self) -> str:
        """Whether ours is above or below the paper's SkyMoE, or the interval of the difference holds zero."""
        found = self.difference
        return ABOVE if found["low"] > 0 else BELOW if found["high"] < 0 else OPEN

    @property
    def rank(self) -> str:
        """The place ours would take among the published systems."""
        better = sum(cell.value > self.ours["value"] for cell in self.cells)
        return f"{better + 1} of {len(self.cells) + 1}"

    @property
    def metric_title(self) -> str:
        return title(self.metric) if self.metric in _WHOLE else self.metric.replace("_", "/")

    @property
    def value(self) -> str:
        return percent(self.ours["value"])

    @property
    def interval(self) -> str:
        return interval("accuracy", self.ours)

    @property
    def published_value(self) -> str:
        return percent(self.skymoe.value)

    @property
    def gap(self) -> str:
        """The difference as it is written, times a hundred."""
        return signed("accuracy", self.difference["value"], unit=False)

    @property
    def own_n(self) -> str:
        return "?" if self.n is None else f"{self.n:,}"

    @property
    def published_n(self) -> str:
        return "?" if self.skymoe.n is None else f"{self.skymoe.n:,}"


_WHOLE = frozenset(("bleu4", "meteor", "rouge_l", "acc@0.5", "acc@0.7", "accuracy"))


def besides(report: dict[str, Any]) -> list[Beside]:
    """Everything of the report that has a published counterpart and was scored by ``paper``, in the report's order."""
    return [found for name, result in report["results"].items() for found in _of(name, result)]


def published_name(name: str, result: Mapping[str, Any]) -> str:
    """The paper's name of a benchmark's data set, "" where the paper has it not.

    MGRS-Bench is never compared: its pictures and questions are not public, and what lies in its place is another set.
    """
    known = BENCHMARKS.get(name)
    dataset = result.get("published") or (known.published if known is not None else "")
    return "" if dataset == "MGRS-Bench" else str(dataset)


def unscored(report: dict[str, Any]) -> list[str]:
    """Titles of benchmarks that the paper has, too, but whose answers were not scored by ``paper``."""
    return [
        result["title"]
        for name, result in report["results"].items()
        if "paper" not in result and of_dataset(result["task"], published_name(name, result))
    ]


def _of(name: str, result: dict[str, Any]) -> Iterator[Beside]:
    cells = of_dataset(result["task"], published_name(name, result))
    for metric in dict.fromkeys(cell.metric for cell in cells):
        part = None if metric in _WHOLE else metric
        ours = estimate_of(result.get("paper", {}), "accuracy" if part else metric, part)
        if ours is None:
            continue
        ranked = sorted((cell for cell in cells if cell.metric == metric), key=lambda cell: -cell.value)
        n = result["n"] if part is None else result.get("sizes", {}).get(part)
        yield Beside(name, result["title"], ranked[0].dataset, metric, n, ours, tuple(ranked))


def difference(ours: Estimate, theirs: Estimate) -> Estimate:
    """Ours less theirs, with the interval from both intervals (Newcombe's square-and-add; samples are independent)."""
    value = ours["value"] - theirs["value"]
    down = math.hypot(ours["value"] - ours["low"], theirs["high"] - theirs["value"])
    up = math.hypot(ours["high"] - ours["value"], theirs["value"] - theirs["low"])
    return {"value": value, "low": value - down, "high": value + up}


def percent(value: float) -> str:
    """Published tables write everything times a hundred."""
    return f"{100 * value:.1f}"


def caveats(report: dict[str, Any], found: Sequence[Beside]) -> list[str]:
    """What must be said with such a comparison, the result first."""
    said = []
    for verdict in (ABOVE, BELOW, OPEN):
        names = [f"{one.title} {one.metric_title}" for one in found if one.verdict == verdict]
        if names:
            start = "Not told apart from" if verdict == OPEN else f"{verdict.capitalize()}"
            said.append(f"{start} the paper's SkyMoE: {', '.join(names)}.")
    said.append(
        "Both columns by protocol `paper`, for comparison with the SkyMoE tables only: the paper's code is not public, "
        "its rules are inferred from its tables. None of these numbers may be put beside one of protocol `standard`."
    )
    said.append(_training(report, found))
    if any(one.skymoe.n is not None for one in found):
        said.append(
            "The paper's samples are small (N, inferred from its fractions) and unpublished: its pictures are others. "
            "The verdict takes both intervals into account."
        )
    if any(one.skymoe.n is None for one in found):
        said.append("Where N is “?”, the published value is taken as exact: the verdict is too sure there.")
    said += _lacking(report, found)
    said += [
        f"{result['title']}: {result['pictures']:,} of the official {result['official_pictures']:,} pictures."
        for name, result in report["results"].items()
        if name in {one.name for one in found}
        and result["official_pictures"]
        and result["official_pictures"] != result["pictures"]
    ]
    return said


def _lacking(report: dict[str, Any], found: Sequence[Beside]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name in dict.fromkeys(one.name for one in found):
        result = report["results"][name]
        for reason in result["paper"]["notes"].values():
            reasons.setdefault(reason, []).append(result["title"])
    return [f"{', '.join(titles)}: {reason}." for reason, titles in reasons.items()]


def _training(report: dict[str, Any], found: Sequence[Beside]) -> str:
    known = report["model"].get("trained_on")
    if known is None:
        return (
            "Whether the model was trained on these data sets' own training splits is not recorded here; a model that "
            "was has an advantage over one that was not."
        )
    titles = dict.fromkeys(one.title for one in found if report["results"][one.name]["source"] in set(known))
    if not titles:
        return "The model was trained on none of these data sets."
    return (
        f"In-domain: the model was trained on the training split of {', '.join(titles)}. The paper's SkyMoE learnt "
        "from a mixture of many sources; a specialist's number is easier to reach."
    )
