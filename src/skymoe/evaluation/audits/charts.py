"""Which charts an audit has on the page, from its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from skymoe.evaluation.audits import plots
from skymoe.evaluation.audits.contrast import TOLD
from skymoe.evaluation.report.wording import title as metric_title

Results = Mapping[str, Mapping[str, Any]]


class Chart(TypedDict):
    """An SVG with what stands above and below it; ``legend`` has (class of the colour, name)."""

    title: str
    svg: str
    legend: list[tuple[str, str]]
    below: str


def of(audit: str, results: Results) -> list[Chart]:
    """The charts of an audit; some have one for all benchmarks, some one or two for each."""
    return _MADE[audit](results)


def _masking(results: Results) -> list[Chart]:
    found: list[Chart] = []
    for result in results.values():
        names = [f"{group['name']} objects ({group['pictures']:,})" for group in result["groups"]]
        legend = [(f"s{number}", name) for number, name in enumerate(names)]
        title = result["title"]
        found.append(
            {
                "title": f"{title}: predicted against true count",
                "svg": plots.masked_counts(result["groups"], f"{title}: predicted against true count"),
                "legend": [*legend, ("ideal", "a model that counts")],
                "below": "From right to left more and more objects are masked; a line for each group of pictures, by "
                "how many objects they have (pictures in brackets). Both axes are drawn as square roots.",
            }
        )
        found.append(
            {
                "title": f"{title}: what follows the masks",
                "svg": plots.masked_share(
                    result["curve"], f"{title}: predicted count by the share of objects left"
                ),
                "legend": [
                    ("s0", "the model"),
                    ("ideal", "a model that counts"),
                    ("guess", "one that guesses from context"),
                ],
                "below": "All predicted counts together, as a share of all true ones. The band is the 95 % interval.",
            }
        )
    return found


def _pictures(results: Results) -> list[Chart]:
    """Dots of the first metric for every kind of picture."""
    some = next(iter(results.values()))["metrics"]
    rows = []
    for result in results.values():
        metric = TOLD[result["task"]][0]
        values = [
            (f"s{number}", f"{metric_title(metric)}, {name}", *_ends(metrics[metric]))
            for number, (name, metrics) in enumerate(result["metrics"].items())
        ]
        rows.append((result["title"], values))
    return [
        {
            "title": "All benchmarks",
            "svg": plots.dots(rows, "The first metric of every benchmark for every kind of picture"),
            "legend": [(f"s{number}", name) for number, name in enumerate(some)],
            "below": "Accuracy (questions, scenes, counts), Acc@0.5 (boxes), BLEU-4 (captions), with 95 % intervals.",
        }
    ]


def _phrasing(results: Results) -> list[Chart]:
    rows = []
    for result in results.values():
        typed, *free = result["wordings"]
        values = [("s1", f"“{one['example']}”", *_ends(one["right"])) for one in free]
        rows.append((result["title"], [("s0", "typed", *_ends(typed["right"])), *values]))
    return [
        {
            "title": "All benchmarks",
            "svg": plots.dots(rows, "Share of right answers for every wording"),
            "legend": [
                ("s0", "evaluation's wording, typed answers"),
                ("s1", "people's wordings, free answers"),
            ],
            "below": "Share of right answers, a dot for each wording, with 95 % intervals.",
        }
    ]


def _calibration(results: Results) -> list[Chart]:
    found: list[Chart] = []
    for result in results.values():
        title = result["title"]
        bins = [one for one in result["reliability"]["bins"] if one["n"]]
        found.append(
            {
                "title": f"{title}: reliability",
                "svg": plots.reliability(bins, f"{title}: share of right answers by confidence"),
                "legend": [
                    ("s0", "right answers"),
                    ("mark", "mean confidence"),
                    ("ideal", "as sure as right"),
                ],
                "below": "Bars below the line: too sure. The numbers are answers.",
            }
        )
    lines = [
        (result["title"], [(p["coverage"], p["accuracy"]) for p in result["coverage"]])
        for result in results.values()
    ]
    found.append(
        {
            "title": "Accuracy against coverage",
            "svg": plots.coverage(lines, "Share of right answers against the share of questions answered"),
            "legend": [(f"s{number % 8}", name) for number, (name, _) in enumerate(lines)],
            "below": "If only the surest answers were given. A useful confidence makes a line that falls to the right.",
        }
    )
    return found


def _ends(estimate: Mapping[str, float]) -> tuple[float, float, float]:
    return estimate["value"], estimate["low"], estimate["high"]


_MADE: dict[str, Callable[[Results], list[Chart]]] = {
    "masking": _masking,
    "blind": _pictures,
    "phrasing": _phrasing,
    "resolution": _pictures,
    "invariance": lambda results: [],
    "calibration": _calibration,
}
