"""The report as Markdown and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from skymoe.evaluation.report.beside import Beside, besides, caveats
from skymoe.evaluation.report.tabular import COLUMNS, notes, rows
from skymoe.evaluation.report.wording import in_order, interval, number, title

if TYPE_CHECKING:
    from rich.table import Table

_RIGHT = "--:"


def markdown(report: dict[str, Any]) -> str:
    """The table and its notes, for the README."""
    table = markdown_table(
        COLUMNS, (row.cells for row in rows(report)), ["---", _RIGHT, "---", _RIGHT, ":-:", *[_RIGHT] * 3]
    )
    return f"{table}\n\n" + "\n".join(f"- {note}" for note in notes(report)) + "\n"


def document(report: dict[str, Any]) -> str:
    """``report.md``: the table and its notes, the published numbers, and the tables of parts."""
    parts = [f"# {inline(report['model']['name'])}", markdown(report).rstrip()]
    found = besides(report)
    if found:
        parts += ["## Beside the published numbers", *_beside_lines(report, found)]
    tables = list(_part_tables(report))
    if tables:
        parts += ["## Parts", *tables]
    return "\n\n".join(parts) + "\n"


def _beside_lines(report: dict[str, Any], found: Sequence[Beside]) -> Iterator[str]:
    header = ("Benchmark", "Metric", "Ours", "95 % interval", "N", "SkyMoE (paper)", "N", "Ours is", "Rank")
    lines = (
        (
            one.title,
            one.metric_title,
            one.value,
            one.interval,
            one.own_n,
            one.published_value,
            one.published_n,
            one.verdict,
            one.rank,
        )
        for one in found
    )
    yield markdown_table(header, lines, ["---", "---", _RIGHT, ":-:", _RIGHT, _RIGHT, _RIGHT, "---", "---"])
    yield "\n".join(f"- {text}" for text in caveats(report, found))


def _part_tables(report: dict[str, Any]) -> Iterator[str]:
    for result in report["results"].values():
        if not result["by"]:
            continue
        metrics = in_order({name: None for part in result["by"].values() for name in part})
        lines = []
        for part, found in result["by"].items():
            cells = [
                f"{number(name, found[name]['value'])} ({interval(name, found[name])})"
                if name in found
                else "–"
                for name in metrics
            ]
            lines.append([part, *cells])
        table = markdown_table(
            ["", *[title(name) for name in metrics]], lines, ["---", *[_RIGHT] * len(metrics)]
        )
        yield f"### {inline(result['title'])}\n\n{table}"


def table(report: dict[str, Any]) -> Table:
    """The same table for a terminal."""
    from rich.markup import escape
    from rich.table import Table

    heading = f"{report['model']['name']} · {report['settings']['split']} split · protocol standard"
    found = Table(title=escape(heading))
    for name in COLUMNS:
        found.add_column(
            name, justify="left" if name in ("Benchmark", "Metric") else "right", no_wrap=name != "Benchmark"
        )
    for place, row in enumerate(rows(report)):
        if row.benchmark and place:
            found.add_section()
        found.add_row(*map(escape, row.cells))
    return found


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]], align: Sequence[str]) -> str:
    """A Markdown table whose cells can neither break it nor bring markup of their own."""
    body = [[inline(cell) for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(header), list(align), *body])


def inline(text: str) -> str:
    """A text on one line, without power over a table or a page."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
