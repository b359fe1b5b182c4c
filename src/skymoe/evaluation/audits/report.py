"""The audits' report: JSON with every number, Markdown and a terminal table, one page with charts and pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skymoe import pages
from skymoe.evaluation.audits import charts
from skymoe.evaluation.audits.measures import shown, sound
from skymoe.evaluation.report.wording import in_order, interval, number
from skymoe.evaluation.report.wording import title as metric_title

if TYPE_CHECKING:
    from rich.table import Table

HERE = Path(__file__).resolve().parent
COLUMNS = ("Audit", "Benchmark", "N", "Measure", "Value", "95 % interval", "Sound")


def rows(report: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The table's lines; audit and benchmark stand only where they are new."""
    for audit in report["audits"].values():
        title = audit["title"]
        for result in audit["results"].values():
            first = (title, result["title"], f"{result['n']:,}")
            for line in (*result["measures"], *result.get("gaps", ())):
                yield (*first, line["name"], *shown(line), sound(line))
                first = ("", "", "")
            title = ""


def notes(report: dict[str, Any]) -> list[str]:
    """What must be said below the table."""
    settings, model = report["settings"], report["model"]
    pictures = "all pictures" if settings["limit"] is None else f"at most {settings['limit']:,} pictures"
    decoding = "typed answers (decoded under their form)" if settings["constrained"] else "free decoding"
    found = [
        f"Model {model['name']} ({model['weights']}), {settings['split']} split, {pictures} a benchmark, protocol "
        f"`standard`, {decoding}. Intervals: Wilson for rates, bootstrap over pictures or questions otherwise; "
        "gaps are paired.",
        "Sound: what a model would have that looks, counts and does not depend on chance.",
    ]
    titles: dict[str, str] = {}
    for audit in report["audits"].values():
        titles |= {result["title"]: result["note"] for result in audit["results"].values() if result["note"]}
        for result in audit["results"].values():
            if result.get("left_out"):
                reasons = "; ".join(f"{reason}: {n:,}" for reason, n in result["left_out"].items())
                found.append(f"{audit['title']}, {result['title']}: pictures left out: {reasons}.")
    found += [f"{title}: {note}." for title, note in titles.items()]
    return found + [f"Skipped: {name}: {reason}" for name, reason in report["skipped"].items()]


def markdown(report: dict[str, Any]) -> str:
    """The table and its notes."""
    lines = [list(COLUMNS), ["---", "---", "--:", "---", "--:", ":-:", "---"]]
    lines += [list(row) for row in rows(report)]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return table + "\n\n" + "\n".join(f"- {note}" for note in notes(report)) + "\n"


def table(report: dict[str, Any]) -> Table:
    """The same table for a terminal."""
    from rich.table import Table

    found = Table(title=f"Audit of {report['model']['name']} · {report['settings']['split']} split")
    for name in COLUMNS:
        right = name in ("N", "Value", "95 % interval")
        found.add_column(
            name, justify="right" if right else "left", no_wrap=name not in ("Benchmark", "Measure")
        )
    for place, row in enumerate(rows(report)):
        if row[1] and place:
            found.add_section()
        found.add_row(*row)
    return found


def page(report: dict[str, Any]) -> str:
    """The page: everything inside it, nothing to be fetched from anywhere, all text escaped."""
    return (
        pages.environment(HERE)
        .get_template("page.html")
        .render(
            report=report,
            sections=[
                {
                    **audit,
                    "name": name,
                    "charts": charts.of(name, audit["results"]) if audit["results"] else [],
                    "results": [_section(result) for result in audit["results"].values()],
                }
                for name, audit in report["audits"].items()
            ],
            notes=notes(report),
        )
    )


def write(report: dict[str, Any], out: Path) -> None:
    """``report.json``, ``report.md`` and ``report.html`` in ``out``, each replaced as a whole."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": json.dumps(_without_pictures(report), indent=1, ensure_ascii=False) + "\n",
        "report.md": f"# Audit of {report['model']['name']}\n\n{markdown(report)}",
        "report.html": page(report),
    }
    for name, text in texts.items():
        part = out / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, out / name)


def _section(result: dict[str, Any]) -> dict[str, Any]:
    # Where there are several kinds of pictures, a table of its own has their metrics.
    told = result["gaps"] if "gaps" in result else result["measures"]
    lines = [(line["name"], *shown(line), sound(line)) for line in told]
    empty: dict[str, Any] = {"examples": [], "different": [], "changed": {}, "wordings": []}
    kinds = result.get("metrics", {})
    return {
        **empty,
        **result,
        "lines": lines,
        "kinds": list(kinds),
        "pivot": _pivot(kinds, result.get("unparsable", {})),
    }


def _pivot(kinds: dict[str, dict[str, Any]], unread: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every metric with its value and interval for each kind of picture, and the share that cannot be read."""
    if not kinds:
        return []
    metrics = in_order(next(iter(kinds.values())))
    lines = [
        (
            metric_title(metric),
            [
                (number(metric, found[metric]["value"]), interval(metric, found[metric]))
                for found in kinds.values()
            ],
        )
        for metric in metrics
    ]
    return [*lines, ("cannot be read", [(f"{100 * share:.1f} %", "") for share in unread.values()])]


def _without_pictures(value: Any) -> Any:
    """The report as data; pictures are for the page."""
    if isinstance(value, dict):
        return {key: _without_pictures(part) for key, part in value.items() if key != "picture"}
    return [_without_pictures(part) for part in value] if isinstance(value, list) else value
