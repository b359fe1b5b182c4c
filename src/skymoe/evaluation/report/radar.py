"""Which systems and benchmarks stand on the two radar charts."""

from __future__ import annotations

from typing import Any

from skymoe.evaluation.published import OURS, of_dataset, published
from skymoe.evaluation.report.beside import besides, percent
from skymoe.evaluation.report.charts import Ring, Spoke, radar
from skymoe.evaluation.report.tabular import estimate_of
from skymoe.evaluation.report.wording import number, title
from skymoe.evaluation.scoring import HEADLINES

# Systems of the paper that are drawn beside its own; all of them are in the tables.
_DRAWN = ("GeoChat", "VHM", "EarthDial", "Qwen2.5-VL")
_LEADS = {
    "captioning": ("bleu4",),
    "grounding": ("acc@0.5",),
    "classification": ("accuracy",),
    "counting": ("accuracy",),
}
_TASK_OF = {
    "captioning": "caption",
    "vqa": "vqa",
    "grounding": "ground",
    "classification": "classify",
    "counting": "count",
}


def own_radar(report: dict[str, Any]) -> dict[str, Any] | None:
    """The model, and the model blind, by each benchmark's first metric; None for fewer than three benchmarks."""
    leads = []
    for place, result in enumerate(report["results"].values(), 1):
        metric = next((name for name in HEADLINES[result["task"]] if name in result["metrics"]), None)
        if metric is not None and 0 <= result["metrics"][metric]["value"] <= 1:
            leads.append((place, metric, result))
    if len(leads) < 3:
        return None
    spokes = [Spoke(str(place), f"{result['title']}: {title(metric)}") for place, metric, result in leads]
    rings = []
    if any("blind" in result for *_, result in leads):
        rings.append(_own_ring("blind", "blind", [(m, result.get("blind", {})) for _, m, result in leads]))
    rings.append(_own_ring(report["model"]["name"], "ours", [(m, result) for _, m, result in leads]))
    return radar(spokes, rings, width=380, radius=146)


def _own_ring(name: str, style: str, found: list[tuple[str, dict[str, Any]]]) -> Ring:
    estimates = [estimate_of(result, metric) for metric, result in found]
    return Ring(
        name,
        tuple(None if one is None else one["value"] for one in estimates),
        tuple(
            "" if one is None else number(m, one["value"])
            for one, (m, _) in zip(estimates, found, strict=True)
        ),
        style,
    )


def published_radar(report: dict[str, Any]) -> dict[str, Any] | None:
    """The paper's Figure 2 with ours on it: each spoke ends at the best of the systems drawn. By protocol ``paper``.

    Of MGRS-Bench, which nobody else has, nothing is drawn; questions stand with the mean of their printed types.
    """
    ours = {(one.dataset, one.metric): one.ours["value"] for one in besides(report)}
    if not ours:
        return None
    keys = list(dict.fromkeys((c.task, c.dataset) for c in published() if c.dataset != "MGRS-Bench"))
    values: dict[str, list[float | None]] = {system: [] for system in (*_DRAWN, OURS, "")}
    for task, dataset in keys:
        cells = of_dataset(_TASK_OF[task], dataset)
        metrics = _LEADS.get(task) or tuple(dict.fromkeys(cell.metric for cell in cells))
        for system, line in values.items():
            printed = {cell.metric: cell.value for cell in cells if cell.system == system}
            own = {metric: ours[dataset, metric] for metric in metrics if (dataset, metric) in ours}
            line.append(_mean(own if system == "" else printed, metrics))
    ends = [
        max(value for line in values.values() if (value := line[at]) is not None) for at in range(len(keys))
    ]
    rings = [
        Ring(
            system or report["model"]["name"],
            tuple(
                None if value is None else value / (end or 1.0) for value, end in zip(line, ends, strict=True)
            ),
            tuple("" if value is None else percent(value) for value in line),
            "ours" if system == "" else "paper" if system == OURS else f"other other-{place}",
        )
        for place, (system, line) in enumerate(values.items())
    ]
    spokes = [Spoke(dataset, percent(end)) for (_, dataset), end in zip(keys, ends, strict=True)]
    numbered = [Spoke(str(place), spoke.end) for place, spoke in enumerate(spokes, 1)]
    return {
        "wide": radar(spokes, rings, width=680, radius=230),
        "narrow": radar(numbered, rings, width=380, radius=150),
        "names": [spoke.name for spoke in spokes],
        "rings": [(ring.name, ring.style) for ring in rings],
    }


def _mean(found: dict[str, float], metrics: tuple[str, ...]) -> float | None:
    return sum(found[m] for m in metrics) / len(metrics) if all(m in found for m in metrics) else None
