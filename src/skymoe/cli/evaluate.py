"""`skymoe eval`: score a model on official test splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skymoe.cli.progress import progress


def evaluate(
    model: Annotated[
        str, typer.Argument(help="nano, the directory of a checkpoint, or a Hugging Face id.")
    ] = "nano",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", "-b", help="Which one; may be repeated. Default: all whose data are there."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only a seeded choice of so many pictures a benchmark.")
    ] = None,
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered together.")] = 32,
    num_beams: Annotated[int, typer.Option(min=1, help="Beams for captions; 1 is greedy.")] = 5,
    free: Annotated[
        bool, typer.Option("--free", help="Let the model say what it likes, not only valid answers.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option(help="Also the blind model and the best constant answer.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of --limit and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of predictions and report. Default: runs/eval/MODEL-WEIGHTS.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier predictions away.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda …")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Only list the benchmarks.")] = False,
) -> None:
    """Score a model on official test splits, beside a blind run and the best constant answer.

    Predictions are written before they are scored. Run the same command again to continue where it stopped.
    """
    from skymoe.errors import UserError
    from skymoe.evaluation.benchmarks import BENCHMARKS, get_benchmark

    if show:
        for known in BENCHMARKS.values():
            typer.echo(
                f"{known.name:20} {known.task:9} {known.title}" + (f": {known.note}" if known.note else "")
            )
        return
    chosen = [get_benchmark(name) for name in dict.fromkeys(benchmark or BENCHMARKS)]
    if split not in ("test", "val"):
        raise UserError(f"--split {split!r}: choose test or val")

    import json

    from rich.console import Console

    import skymoe
    from skymoe.engine.checkpoint import find
    from skymoe.evaluation import report
    from skymoe.evaluation.running import Settings, fingerprint
    from skymoe.evaluation.running import evaluate as evaluate_model

    settings = Settings(split, limit, batch_size, num_beams, not free, baselines, seed)
    weights = fingerprint(find(model))
    name = Path(model).name or "model"
    folder = "-".join(part for part in (name, weights[:6], settings.folder) if part)
    where = out if out is not None else Path("runs") / "eval" / folder
    engine = skymoe.load(model, device=device)
    engine.batch_size = batch_size
    console = Console(stderr=True)
    try:
        with progress(console, ended="answers") as watch:
            found = evaluate_model(
                engine, {"name": name, "weights": weights}, chosen, where, settings, fresh=fresh, watch=watch
            )
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command continues; what is there is in {where}.")
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    elif as_markdown:
        typer.echo(report.markdown(found), nl=False)
    elif found["results"]:
        _print_table(found)
    for skipped, reason in found["skipped"].items():
        console.print(f"skipped {skipped}: {reason}", markup=False, soft_wrap=True)
    if not found["results"]:
        raise typer.Exit(2)
    console.print(f"Predictions and report: {where}", markup=False, soft_wrap=True)


def _print_table(found: dict[str, Any]) -> None:
    from rich.console import Console

    from skymoe.evaluation import report

    console = Console()
    if not console.is_terminal:
        console.width = 160  # a file or a pipe need not be cut to a terminal's width
    console.print(report.table(found))
    for note in report.notes(found):
        console.print(f"· {note}", markup=False, highlight=False, soft_wrap=True)
