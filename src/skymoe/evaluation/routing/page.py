"""The page of a routing analysis: histograms, what the experts tell, and expert maps on pictures, all in one file."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skymoe import pages
from skymoe.errors import UserError
from skymoe.evaluation.routing import charts, summary
from skymoe.pictures import open_sample
from skymoe.sample import Sample

SIDE = 256
"""Pixels of the longer side of a shown picture."""
STEPS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
"""Where an axis of information may end."""
COLUMNS = 6
"""Most layers whose maps are shown of one picture: the first, the last, and evenly between."""


def claim(out: Path) -> None:
    """Make the folder, before anything long is begun.

    Raises:
        UserError: it cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".routing.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"--out {out}: cannot be written ({error.strerror or error}); give another folder"
        ) from error


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def page(report: dict[str, Any], examples: Sequence[Sample]) -> str:
    """The page; ``examples`` are the pictures of the report's examples, in their order."""
    from markupsafe import Markup

    template = pages.environment(Path(__file__).resolve().parent).get_template("page.html")
    models = [report["model"], *([report["against"]] if "against" in report else [])]
    shown = [_model(model, Markup) for model in models]
    cards = []
    for number, sample in enumerate(examples):
        views = [_views(model, number, Markup) for model in models]
        cards.append({"source": sample.source, "picture": _data_uri(sample), "views": views})
    return template.render(
        report=report,
        models=shown,
        cards=cards,
        names=summary.PART_NAMES,
        colours=[Markup(charts.colour(n)) for n in range(max(model["experts"] for model in models))],
        comparison=_comparison(report, Markup) if "comparison" in report else None,
    )


def _model(model: dict[str, Any], markup: Any) -> dict[str, Any]:
    layers = model["layers"]
    told = []
    for label in ("task", "granularity", "source"):
        rows = {
            part: [(one["layer"], one["information"][label][part]) for one in layers]
            for part in layers[0]["information"][label]
        }
        top = _top(
            [one["chance"]["mean"] + one["high"] for points in rows.values() for _, one in points if one]
        )
        drawn = [
            {"part": part, "chart": markup(charts.information(points, top, summary.PART_NAMES[part]))}
            for part, points in rows.items()
            if any(one for _, one in points)
        ]
        if drawn:
            told.append({"label": label, "charts": drawn})
    return {
        **model,
        "findings": summary.findings(model),
        "told": told,
        "histograms": [_histograms(layers, part, markup) for part in layers[0]["information"]["task"]],
        "loads": [
            {
                "layer": one["layer"],
                "all": one["balance"]["all"],
                "chart": markup(_load(one["balance"]["all"]["load"])),
                "modality": one["information"]["modality"],
            }
            for one in layers
        ],
    }  # fmt: skip


def _load(shares: Sequence[float]) -> str:
    return charts.bars(shares, _highest([shares]), "load")


def _histograms(layers: list[dict[str, Any]], part: str, markup: Any) -> dict[str, Any]:
    """Of one part a table: a row for each value of each label, a column for each layer."""
    groups = []
    every = [shares for one in layers for values in one["histograms"].values() for shares in values.values()]
    top = _highest([shares[part] for shares in every if part in shares])
    for label, values in layers[0]["histograms"].items():
        rows = []
        for value in values:
            found = [one["histograms"][label][value].get(part) for one in layers]
            if any(found):
                cells = [
                    markup(charts.bars(shares, top, str(markup.escape(value)))) if shares else ""
                    for shares in found
                ]
                rows.append({"value": value, "cells": cells})
        groups.append({"label": label, "rows": rows})
    return {"part": part, "groups": groups, "top": top, "layers": [one["layer"] for one in layers]}


def _views(model: dict[str, Any], number: int, markup: Any) -> dict[str, Any]:
    maps = model["examples"][number]["maps"]
    count = min(COLUMNS, len(maps))
    kept = sorted({round(n * (len(maps) - 1) / max(1, count - 1)) for n in range(count)})
    shown = [
        {
            "layer": maps[n]["layer"],
            "chart": markup(charts.expert_map(maps[n]["cells"])),
            "summary": [{"expert": e + 1, "colour": markup(charts.colour(e))} for e in maps[n]["summary"]],
        }
        for n in kept
    ]  # fmt: skip
    return {
        "name": model["name"],
        "task": model["examples"][number]["task"],
        "conditioned": model["conditioned"],
        "maps": shown,
    }


def _comparison(report: dict[str, Any], markup: Any) -> dict[str, Any]:
    pairs = report["comparison"]
    told = []
    for label in ("task", "granularity", "source"):
        parts = {part: None for pair in pairs for part in pair["information"][label]}
        rows = {
            part: [(_pair(pair), pair["information"][label].get(part)) for pair in pairs] for part in parts
        }
        ends = [
            max(abs(one["low"]), abs(one["high"])) for points in rows.values() for _, one in points if one
        ]
        top = _top(ends)
        drawn = [
            {"part": part, "chart": markup(charts.differences(points, top, summary.PART_NAMES[part]))}
            for part, points in rows.items()
        ]
        if drawn:
            told.append({"label": label, "charts": drawn})
    parts = {part: None for pair in pairs for part, one in pair["agreement"].items() if one}
    agreement = [{"part": part, "cells": [pair["agreement"].get(part) for pair in pairs]} for part in parts]
    return {"told": told, "agreement": agreement, "layers": [_pair(pair) for pair in pairs]}


def _pair(pair: dict[str, Any]) -> str:
    return str(pair["layer"]) if pair["layer"] == pair["against"] else f"{pair['layer']} | {pair['against']}"


def _top(values: Sequence[float]) -> float:
    return next((step for step in STEPS if step >= max(values, default=0.0)), 1.0)


def _highest(histograms: Sequence[Sequence[float]]) -> float:
    """Where bars end: at the highest, but an even share is never drawn above half of the height."""
    highest = max((max(shares) for shares in histograms), default=1.0)
    return max(highest, 2 / len(histograms[0]) if histograms else 1.0)


def _data_uri(sample: Sample) -> str:
    picture = open_sample(sample)
    picture.thumbnail((SIDE, SIDE))
    memory = io.BytesIO()
    picture.save(memory, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


__all__ = ["claim", "page", "replace"]
