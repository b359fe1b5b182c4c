"""`skymoe train`: run a recipe, or a sweep of many trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skymoe.cli.terminal import output

if TYPE_CHECKING:
    from skymoe.train.sweeps.running import Running


def train(
    recipe: Annotated[
        Path,
        typer.Argument(
            help="A training recipe, such as recipes/nano.yaml, or a sweep, such as recipes/ablations-nano.yaml."
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a value of the file: --set stages.0.steps=100, --set seeds=[1,2]"),
    ] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--list", "--dry-run", help="Train nothing: check it, say what is done and what is not."
        ),
    ] = False,
) -> None:
    """Train a model by a recipe; run it again to continue where it stopped.

    A sweep trains and judges every cell of an ablation, and writes their table.

    On several GPUs: torchrun --nproc-per-node 8 -m skymoe train RECIPE
    """
    import logging
    import os

    from skymoe.train.sweeps.settings import is_sweep

    first = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    level = logging.INFO if first and not show else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if is_sweep(recipe):
        _sweep(recipe, overrides, show, first)
        return
    from skymoe.train.recipe import load_recipe

    loaded = load_recipe(recipe, overrides)
    if show:
        from skymoe.train.checkpoints import finished
        from skymoe.train.records import Records

        Records(loaded).check()
        for stage in loaded.stages:
            done = finished(loaded.output / stage.name / "model")
            long = f"{stage.steps:,} steps" if stage.steps is not None else f"{stage.epochs:g} epochs"
            typer.echo(
                f"{'done' if done else 'to do':8}{stage.name} ({stage.kind}, {long} of {stage.batch_size})"
            )
        return
    from skymoe.train.stages import Training

    model = Training(loaded).run()
    if first:
        typer.echo(f"model: {model}")


def _sweep(path: Path, overrides: list[str] | None, show: bool, first: bool) -> None:
    from rich.console import Console

    from skymoe.cli.progress import progress
    from skymoe.train.sweeps.running import Running
    from skymoe.train.sweeps.settings import load_sweep

    sweep = load_sweep(path, overrides)
    if show:
        _list(Running(sweep))
        return
    console = Console(stderr=True, quiet=not first)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    try:
        running = Running(sweep, say, lambda: progress(console, ended="answers"))
        table = running.run()
    except KeyboardInterrupt:
        say(f"Stopped. The same command continues; what is there is in {sweep.output}.")
        raise typer.Exit(130) from None
    if first:
        _show(running)
        typer.echo(f"table: {table}")


def _list(running: Running) -> None:
    """What would be run, in its order, and how far it is."""
    for called, done in running.first_trainings():
        typer.echo(f"{'done' if done else 'to do':10}{called} (once for all)")
    states = [running.state(run) for run in running.runs]
    for run, state in zip(running.runs, states, strict=True):
        detail = f" ({state.detail})" if state.detail else ""
        typer.echo(f"{state.word:10}{run.text}{detail}")
    finished = sum(state.word == "done" for state in states)
    asked = ", ".join(one.title for one in running.sweep.judge)
    typer.echo(f"{len(states)} runs in {running.sweep.output}, {finished} done; judged on {asked}")


def _show(running: Running) -> None:
    from rich.table import Table
    from rich.text import Text

    from skymoe.train.sweeps import writing
    from skymoe.train.sweeps.table import make_table

    table = make_table(running.sweep, running.runs)
    grid = Table(box=None)
    for place, head in enumerate(writing.heads(running.sweep)):
        grid.add_column(head, justify="left" if place < len(running.sweep.axes) else "right")
    for title, rows in writing.lines(table):
        if title:
            grid.add_row(Text(title, style="italic"))
        for row in rows:
            grid.add_row(*map(Text, row))
    output(highlight=False).print(grid)
