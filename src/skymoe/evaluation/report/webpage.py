"""The page: one file with everything inside, readable without scripts, light or dark, on paper and on a telephone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe import pages
from skymoe.evaluation.report import charts
from skymoe.evaluation.report.beside import besides, caveats, percent, unscored
from skymoe.evaluation.report.examples import read_examples
from skymoe.evaluation.report.radar import own_radar, published_radar
from skymoe.evaluation.report.tabular import beside, estimate_of, headlines, notes, size
from skymoe.evaluation.report.wording import (
    TASKS,
    counted,
    in_order,
    interval,
    is_share,
    number,
    title,
)
from skymoe.evaluation.scoring import HEADLINES
from skymoe.pages import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_LONGEST = 400  # characters of an answer that are shown
_MANY = 8  # parts; more are shown in two columns, the worst first


def page(report: dict[str, Any], folder: Path | None = None) -> str:
    """The report as HTML. ``folder`` is the run's: worst answers are shown of benchmarks with ``examples.json``."""
    order = list(TASKS)
    ranked = sorted(report["results"].items(), key=lambda pair: order.index(pair[1]["task"]))
    report = {**report, "results": dict(ranked)}
    cards = [_card(place, name, result, folder) for place, (name, result) in enumerate(ranked, 1)]
    found = besides(report)
    return render(
        "report.html",
        report=report,
        cards=cards,
        groups=[
            (said, own) for task, said in TASKS.items() if (own := [c for c in cards if c["task"] == task])
        ],
        facts=_facts(report),
        radar=own_radar(report),
        published=_published(report),
        published_radar=published_radar(report),
        caveats=caveats(report, found) if found else [],
        unscored=unscored(report),
        notes=notes(report)[: 1 + bool(report["settings"].get("baselines"))],
    )


def render(template: str, **values: Any) -> str:
    """A template of this package with these values; every text is escaped and its invisible characters are shown."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = pages.environment(_TEMPLATES)
    environment.filters |= {"percent": percent, "short": shortened, "width": _width, "code": _code}
    environment.globals |= {"number": number, "interval": interval, "title": title, "counted": counted}
    return environment


def shortened(text: str, most: int = _LONGEST) -> str:
    """A text cut to what a page has room for, saying how long it is."""
    return text if len(text) <= most else f"{text[:most].rstrip()} … ({len(text):,} characters)"


def _code(text: str) -> Markup:
    """`Words` between backticks as code, everything escaped."""
    from markupsafe import Markup, escape

    pieces = str(visible(text)).split("`")
    if len(pieces) % 2 == 0:  # a backtick alone means nothing
        return Markup(escape(visible(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def _width(share: float) -> str:
    """A share (0–1) as a CSS length; nothing leaves its track."""
    return f"{100 * min(max(float(share), 0.0), 1.0):.2f}%"


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    results, settings = list(report["results"].values()), report["settings"]
    asked = sum(result["n"] for result in results)
    unread = sum(result["unparsable"] * result["n"] for result in results)
    return [
        (f"{len(results)}", "benchmark" if len(results) == 1 else "benchmarks"),
        (f"{asked:,}", f"questions, {settings['split']} split"),
        (f"{100 * unread / asked:.1f} %" if asked else "–", "unparsable answers"),
        ("standard", "protocol"),
        ("typed" if settings["constrained"] else "free", "decoding"),
    ]


def _card(place: int, name: str, result: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Everything a benchmark's card says, ready to be written."""
    lead = next((metric for metric in HEADLINES[result["task"]] if metric in result["metrics"]), None)
    examples = read_examples(folder / name) if folder is not None else None
    shown = [metric for metric, part in headlines(result) if part is None]
    more = [metric for metric in in_order(result["metrics"]) if metric not in shown]
    return {
        "place": place,
        "name": name,
        "task": result["task"],
        "task_title": TASKS.get(result["task"], result["task"]),
        "title": result["title"],
        "prompt": result.get("prompt", ""),
        "n": result["n"],
        "size": size(result),
        "pictures": result["pictures"],
        "unparsable": result["unparsable"],
        "notes": [text for text in (result["note"], *result["notes"].values()) if text]
        + ([f"a seeded subset of {result['pictures']:,} pictures"] if result["subset"] else []),
        "strip": None if lead is None or not _bounded(result, lead) else _strip(result, lead),
        "lines": [_line(result, metric) for metric in shown],
        "more": [_line(result, metric) for metric in more],
        "baselines": "blind" in result or "constant" in result,
        "constant": result.get("constant", {}).get("what", ""),
        "parts": _parts(result),
        "examples": _examples(examples),
        "scatter": _drawn(examples, "count", charts.scatter),
        "curve": _drawn(examples, "ground", charts.curve),
        "made_with": ", ".join(f"{what} {version}" for what, version in result["implementation"].items()),
    }


def _bounded(result: dict[str, Any], metric: str) -> bool:
    return 0 <= result["metrics"][metric]["value"] <= 1


def _strip(result: dict[str, Any], metric: str) -> dict[str, Any]:
    own = result["metrics"][metric]
    marks = {}
    for which in ("blind", "constant"):
        estimate = estimate_of(result[which], metric) if which in result else None
        marks[which] = None if estimate is None else estimate["value"]
    return {"metric": metric, "estimate": own, **marks}


def _line(result: dict[str, Any], metric: str) -> dict[str, str]:
    estimate = result["metrics"][metric]
    return {
        "metric": title(metric),
        "value": number(metric, estimate["value"]),
        "interval": interval(metric, estimate),
        "blind": beside(result, "blind", metric),
        "constant": beside(result, "constant", metric),
    }


def _parts(result: dict[str, Any]) -> dict[str, Any] | None:
    by, known = result["by"], result.get("sizes", {})
    if len(by) < 2:
        return None
    metrics = in_order({name: None for part in by.values() for name in part})
    lines = [
        {
            "part": part,
            "n": known.get(part),
            "blind": estimate_of(result["blind"], metrics[0], part) if "blind" in result else None,
            "cells": [found.get(metric) for metric in metrics],
        }
        for part, found in by.items()
    ]
    many = len(lines) > _MANY
    if many:
        lines.sort(key=lambda line: line["cells"][0]["value"] if line["cells"][0] else -1.0)
    half = (len(lines) + 1) // 2 if many and len(metrics) == 1 else len(lines)
    return {
        "what": {"vqa": "question type", "classify": "class"}.get(result["task"], "part"),
        "metrics": metrics,
        "share": is_share(metrics[0])
        or all(0 <= cell["value"] <= 1 for line in lines for cell in line["cells"][:1] if cell),
        "sorted": many,
        "columns": [column for column in (lines[:half], lines[half:]) if column],
    }


def _examples(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None or not found["shown"]:
        return None
    questions = [str(one["question"]) for one in found["shown"]]
    shared = _shared_end(questions)
    shown = []
    for one, question in zip(found["shown"], questions, strict=True):
        picture = one.get("picture")
        # The file may be a stranger's: nothing but a picture inside the page is taken for one.
        inside = isinstance(picture, str) and picture.startswith("data:image/jpeg;base64,")
        rest = question[: len(question) - len(shared)].rstrip()
        shown.append({"boxes": [], **one, "picture": picture if inside else None, "question": rest})
    asked = shared if shared in questions or not shared else f"… {shared}"
    return {**found, "shown": shown, "asked": asked}


def _shared_end(questions: Sequence[str]) -> str:
    """The whole sentences that all questions end in: said once, not under every picture."""
    sentences = [re.split(r"(?<=[.?!]) +", question) for question in questions]
    shared: list[str] = []
    for ends in zip(*map(reversed, sentences), strict=False):
        if len(set(ends)) > 1:
            break
        shared.insert(0, ends[0])
    return " ".join(shared)


def _drawn(found: Mapping[str, Any] | None, task: str, draw: Any) -> dict[str, Any] | None:
    return draw(found["drawn"]) if found is not None and found["task"] == task and found["drawn"] else None


def _published(report: dict[str, Any]) -> list[dict[str, Any]]:
    """One table a benchmark: all systems by all printed metrics, ours among them, ranked by the first metric."""
    found: dict[str, dict[str, Any]] = {}
    for one in besides(report):
        table = found.setdefault(
            one.name,
            {"title": one.title, "dataset": one.dataset, "metrics": [], "systems": {}, "verdicts": []},
        )
        table["metrics"].append(one.metric_title)
        table["verdicts"].append(one)
        for cell in one.cells:
            table["systems"].setdefault(cell.system, {})[one.metric_title] = cell.value
        table["systems"].setdefault("", {})[one.metric_title] = one.ours["value"]
    for table in found.values():
        first = table["metrics"][0]
        table["systems"] = sorted(table["systems"].items(), key=lambda pair: -pair[1].get(first, -1.0))
        table["best"] = {
            metric: max(values.get(metric, 0.0) for _, values in table["systems"])
            for metric in table["metrics"]
        }
    return list(found.values())
