"""`skymoe routing`: what the experts do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skymoe.cli.progress import progress
from skymoe.cli.terminal import output


def routing(
    model: Annotated[
        str, typer.Argument(help="nano, the directory of a checkpoint with experts, or a Hugging Face id.")
    ] = "nano",
    against: Annotated[
        str | None, typer.Option(help="Another checkpoint to compare with, asked the same questions.")
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark",
            "-b",
            help="Whose pictures are asked about (each is asked everything that fits it); may be repeated. "
            "Default: all whose data are there.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="A seeded choice of so many pictures a data set; 0 for all.")
    ] = 50,
    split: Annotated[str, typer.Option(help="test, val or train.")] = "test",
    own: Annotated[
        bool, typer.Option("--own", help="Watch the model's own answers instead of the data sets'.")
    ] = False,
    wording: Annotated[
        str | None,
        typer.Option(
            help="How questions are put: varied or canonical. Default: varied, with --own canonical."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Pictures with expert maps on the page.")] = 6,
    shuffles: Annotated[int, typer.Option(min=19, help="Shuffles that tell what chance leaves.")] = 999,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions read together.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the choice of pictures and questions, and of chance.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of page and numbers. Default: runs/routing/MODEL-WEIGHTS."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda …")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Show which experts fire for which task, granularity and kind of token, and what that tells.

    Writes a page with histograms, load, expert maps and the information that the choice of an expert carries about the
    question, beside what chance and the picture alone explain. With --against two checkpoints are compared.
    """
    from skymoe.engine.checkpoint import find
    from skymoe.errors import UserError
    from skymoe.evaluation.benchmarks import BENCHMARKS, select
    from skymoe.identity import fingerprint

    chosen = select(benchmark or list(BENCHMARKS))
    if split not in ("test", "val", "train"):
        raise UserError(f"--split {split!r}: choose test, val or train")
    if wording not in (None, "varied", "canonical"):
        raise UserError(f"--wording {wording!r}: choose varied or canonical")

    import json

    from rich.console import Console

    from skymoe.cli.options import load_quietly
    from skymoe.evaluation.routing.running import Named, Settings, run

    def named(one: str) -> Named:
        weights = fingerprint(find(one))
        return Named(Path(one).name or "model", weights, lambda: load_quietly(one, device))

    its, other = named(model), None if against is None else named(against)
    settings = Settings(
        split=split,
        limit=limit or None,
        answers="own" if own else "reference",
        wording=wording or ("canonical" if own else "varied"),
        batch_size=batch_size,
        seed=seed,
        shuffles=shuffles,
        examples=examples,
    )
    folder = f"{its.name}-{its.weights[:6]}" + ("" if other is None else f"-against-{other.weights[:6]}")
    where = out if out is not None else Path("runs") / "routing" / folder
    console = Console(stderr=True)
    try:
        with progress(console) as watch:
            found = run(its, chosen, where, settings, against=other, watch=watch)
    except KeyboardInterrupt:
        console.print("Stopped: nothing was written.")
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(found)
    if benchmark:
        for skipped, reason in found["skipped"].items():
            console.print(f"skipped {skipped}: {reason}", markup=False, soft_wrap=True)
    console.print(f"Page and numbers: {where / 'routing.html'}", markup=False, soft_wrap=True)


def _print(found: dict[str, object]) -> None:
    from skymoe.evaluation.routing import summary

    console = output()
    for model in (found["model"], found.get("against")):
        if isinstance(model, dict):
            console.print(summary.table(model))
            for line in summary.findings(model):
                console.print(f"· {line}", markup=False, highlight=False, soft_wrap=True)
    for note in summary.NOTES:
        console.print(note, markup=False, highlight=False, soft_wrap=True, style="dim")
