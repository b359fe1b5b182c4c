"""`skymoe report`: the pages of a finished evaluation, made anew from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder that skymoe eval wrote: report.json and predictions.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the new report. Default: the run's own.")
    ] = None,
    trained_on: Annotated[
        list[str] | None,
        typer.Option(help="A data source whose training split the model has seen; may be repeated."),
    ] = None,
) -> None:
    """Make report.html, report.md and report.json of a finished evaluation anew, without the model.

    The answers are also scored by the rules of the SkyMoE paper, to stand beside its tables, and the worst of them are
    shown with their pictures where the data sets are there (SKYMOE_DATA).
    """
    from rich.console import Console

    from skymoe.cli.progress import progress
    from skymoe.data.sources import source_class
    from skymoe.evaluation.report.rebuilding import read_report, rebuild

    for name in trained_on or ():
        source_class(name)  # a slip of the pen would turn a caveat into a claim
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    where = out if out is not None else run
    total = len(read_report(run)["results"])
    with progress(console) as watch:
        rebuild(run, where, trained_on=trained_on, said=say, advance=watch("benchmarks", total))
    typer.echo(where / "report.html")
