"""The table's lines and the notes below it, the same for Markdown, terminal and page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skymoe.evaluation.intervals import Estimate
from skymoe.evaluation.report.wording import interval, number, title
from skymoe.evaluation.scoring import HEADLINES

COLUMNS = ("Benchmark", "N", "Metric", "Value", "95 % interval", "Blind", "Constant", "Unparsable")


@dataclass(frozen=True)
class Row:
    """One line of the table, every cell as text."""

    benchmark: str
    n: str
    metric: str
    value: str
    interval: str
    blind: str
    constant: str
    unparsable: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.benchmark,
            self.n,
            self.metric,
            self.value,
            self.interval,
            self.blind,
            self.constant,
            self.unparsable,
        )


def headlines(result: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What the table shows of a result, as (metric, part): for questions also every type's accuracy."""
    wanted: list[tuple[str, str | None]] = [
        (name, None) for name in HEADLINES[result["task"]] if name in result["metrics"]
    ]
    if result["task"] == "vqa":
        wanted += [("accuracy", kind) for kind, metrics in result["by"].items() if "accuracy" in metrics]
    return wanted


def rows(report: dict[str, Any]) -> Iterator[Row]:
    """The table's lines: the headline metrics of every benchmark, for questions also every type's accuracy."""
    for result in report["results"].values():
        for place, (name, part) in enumerate(headlines(result)):
            estimate = estimate_of(result, name, part)
            assert estimate is not None, name
            yield Row(
                benchmark=result["title"] if place == 0 else "",
                n=size(result) if place == 0 else "",
                metric=title(name) + (f", {part}" if part else ""),
                value=number(name, estimate["value"]),
                interval=interval(name, estimate),
                blind=beside(result, "blind", name, part),
                constant=beside(result, "constant", name, part),
                unparsable=f"{100 * result['unparsable']:.1f} %" if place == 0 else "",
            )


def notes(report: dict[str, Any]) -> list[str]:
    """What must be said below the table."""
    settings = report["settings"]
    decoding = "typed answers (decoded under their form)" if settings["constrained"] else "free decoding"
    model = report["model"]
    found = [
        f"Model {model['name']} ({model['weights']}), {settings['split']} split, protocol `standard`, {decoding}, "
        f"captions with {settings['num_beams']} beams. Unparsable answers are wrong and stay in the denominator. "
        "Intervals: Wilson for rates, bootstrap (1,000 resamples) otherwise."
    ]
    if settings["baselines"]:
        found.append(
            "Blind: the same model on a picture of one colour, the mean of the real one. "
            "Constant: the best answer without picture or model, learnt from the training split (captions: the most "
            "frequent one; questions: the most frequent answer to the same question; scenes: the most frequent label; "
            "counts and centred boxes: the one that does best there, by each metric)."
        )
    for result in report["results"].values():
        found += [
            f"{result['title']}: {text}." for text in (result["note"], *result["notes"].values()) if text
        ]
        if result["subset"]:
            found.append(f"{result['title']}: a seeded subset of {result['pictures']:,} pictures (ids.txt).")
    found += [f"Skipped: {name}: {reason}" for name, reason in report["skipped"].items()]
    return found


def estimate_of(result: dict[str, Any], metric: str, part: str | None = None) -> Estimate | None:
    """The estimate of a metric of the whole or of a part, None where there is none."""
    metrics = result.get("metrics", {}) if part is None else result.get("by", {}).get(part, {})
    return metrics.get(metric)


def beside(result: dict[str, Any], which: str, metric: str, part: str | None = None) -> str:
    """The value of the blind run or of the constant answer, "–" where there is none."""
    estimate = estimate_of(result[which], metric, part) if which in result else None
    return "–" if estimate is None else number(metric, estimate["value"])


def size(result: dict[str, Any]) -> str:
    """How many items; "of …" pictures where the official split has more."""
    pictures, whole = result["pictures"], result["official_pictures"]
    count = f"{result['n']:,}"
    if whole and whole != pictures:
        count += f" of {whole:,}"
    return count
