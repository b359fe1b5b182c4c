"""`skymoe compare`: which differences between two models are real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.answering import printable
from skymoe.errors import UserError

if TYPE_CHECKING:
    from skymoe.evaluation.comparing import Comparison


def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder that skymoe eval wrote, or a prediction file.")],
    run_b: Annotated[Path, typer.Argument(help="The other one; differences are B − A.")],
    task: Annotated[
        str | None,
        typer.Option(help="What prediction files answer: caption, vqa, ground, count or classify."),
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", "-b", help="Only this one; may be repeated.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="standard or paper.")] = "standard",
    boxes_a: Annotated[
        str | None,
        typer.Option(help="How A writes boxes (see skymoe score); default: as its run says, else geochat."),
    ] = None,
    boxes_b: Annotated[str | None, typer.Option(help="How B writes boxes.")] = None,
    common: Annotated[
        bool,
        typer.Option("--common", help="Compare the questions that both answer, where they are not the same."),
    ] = False,
    resamples: Annotated[int, typer.Option(min=200, max=100_000, help="Draws of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write the comparison as one HTML page to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Compare two models on the same questions, and say which differences are real.

    Paired bootstrap: both answers to a question are drawn together. Holm's correction over all numbers shown.
    """
    from skymoe.boxes import NOTATIONS
    from skymoe.evaluation.runs import compare_runs, open_run
    from skymoe.evaluation.scoring import check_protocol
    from skymoe.tasks import TASKS

    if task is not None and task not in TASKS:
        raise UserError(f"there is no task {printable(repr(task))}: choose one of {', '.join(TASKS)}")
    check_protocol(protocol)
    for notation in (boxes_a, boxes_b):
        if notation is not None and notation not in NOTATIONS:
            raise UserError(f"unknown box notation {notation!r}: choose one of {', '.join(NOTATIONS)}")
    a, b = open_run(run_a, task, boxes_a), open_run(run_b, task, boxes_b)
    found = compare_runs(
        a, b, benchmarks=benchmark or (), protocol=protocol, common=common, seed=seed, resamples=resamples
    )
    comparisons = {name: one.to_dict() for name, one in found.items()}
    document = {"a": a.name, "b": b.name, "comparisons": comparisons}
    if out is not None:
        _write(document, out)
    if as_json:
        typer.echo(json.dumps(document, allow_nan=False))
    elif as_markdown:
        from skymoe.evaluation.report.comparison import comparison_markdown

        typer.echo(comparison_markdown(document), nl=False)
    else:
        _show(a.name, b.name, found)


def _write(document: dict[str, Any], path: Path) -> None:
    from skymoe.evaluation.report.comparison import write_comparison

    if path.is_dir():
        raise UserError(f"--out {path} is a folder: name a file, for instance comparison.html")
    try:
        write_comparison(document, path)
    except OSError as error:
        raise UserError(f"--out {path} cannot be written: {error.strerror or error}") from error


def _show(a: str, b: str, found: dict[str, Comparison]) -> None:
    from rich.console import Console
    from rich.table import Table

    from skymoe.evaluation.scoring import LOWER_IS_BETTER, PERCENT

    console = Console()
    if not console.is_terminal:
        console.width = 140  # a file or a pipe need not be cut to a terminal's width
    title = f"A: {printable(a)} · B: {printable(b)} · protocol {next(iter(found.values())).protocol}"
    table = Table(title=title, title_justify="left")
    for name in ("benchmark", "N", "metric", "A", "B", "B − A", "95 % interval", "p (Holm)", "real?"):
        table.add_column(name, justify="left" if name in ("benchmark", "metric", "real?") else "right")
    for name, one in found.items():
        for number, (metric, value) in enumerate(one.metrics.items()):
            scale, digits = (100, 1) if metric in PERCENT else (1, 3)
            shown = [f"{scale * part:.{digits}f}" for part in (value.a, value.b)]
            ends = value.difference
            signed = [f"{scale * end:+.{digits}f}" for end in (ends["value"], ends["low"], ends["high"])]
            better = (ends["value"] > 0) != (metric in LOWER_IS_BETTER)
            table.add_row(
                printable(name or one.task) if number == 0 else "",
                f"{one.n:,}" if number == 0 else "",
                metric + (" ↓" if metric in LOWER_IS_BETTER else ""),
                *shown,
                signed[0],
                f"{signed[1]} … {signed[2]}",
                f"{value.adjusted:.4f}" if value.adjusted < 1 else "1",
                f"{'B' if better else 'A'} is better" if value.real else "no",
            )
        table.add_section()
    console.print(table)
    for name, one in found.items():
        before = f"· {name}: " if name else "· "
        if one.right:
            said = ", ".join(f"{who} {times:,}" for who, times in one.right.items())
            console.print(f"{before}right: {said}", markup=False, highlight=False, soft_wrap=True)
        for note in one.notes.values():
            console.print(f"{before}{note}", markup=False, highlight=False, soft_wrap=True)
