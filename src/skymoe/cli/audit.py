"""`skymoe audit`: what a table of accuracies leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skymoe.cli.progress import progress


def audit(
    model: Annotated[
        str, typer.Argument(help="nano, the directory of a checkpoint, or a Hugging Face id.")
    ] = "nano",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Which audits: masking, blind, phrasing, resolution, invariance, calibration."
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", "-b", help="On which one; may be repeated. Default: all whose data are there."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="A seeded choice of so many pictures a benchmark; 0 for all.")
    ] = 200,
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    fill: Annotated[str, typer.Option(help="What a mask shows: zero, mean or inpaint.")] = "zero",
    steps: Annotated[
        int, typer.Option(min=1, help="Steps of masking; up to so many objects go one by one.")
    ] = 5,
    wordings: Annotated[int, typer.Option(min=2, help="Wordings of every question.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered together.")] = 32,
    num_beams: Annotated[int, typer.Option(min=1, help="Beams for captions; 1 is greedy.")] = 5,
    free: Annotated[
        bool, typer.Option("--free", help="Let the model say what it likes, not only valid answers.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of --limit, of the masks and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of answers and report. Default: runs/audit/MODEL-WEIGHTS.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier answers away.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda …")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Ask whether a model looks, counts, is steady, and knows when it does not know.

    Masked objects, pictures taken away, other wordings, coarser pictures, other orders, confidence. Writes a page with
    charts and pictures. Run the same command again to continue where it stopped.
    """
    from skymoe.errors import UserError
    from skymoe.evaluation.audits.bench import Settings
    from skymoe.evaluation.audits.running import audit as audit_model
    from skymoe.evaluation.audits.running import select as select_audits
    from skymoe.evaluation.benchmarks import available, select

    audits = select_audits(only or [])
    if split not in ("test", "val"):
        raise UserError(f"--split {split!r}: choose test or val")
    chosen = select(benchmark) if benchmark else available()
    if not chosen:
        raise UserError("no benchmark's data are here: set SKYMOE_DATA to the folder of the data sets")

    import skymoe
    from skymoe.engine.checkpoint import find
    from skymoe.evaluation.running import fingerprint

    settings = Settings(
        split=split,
        limit=limit or None,
        batch_size=batch_size,
        num_beams=num_beams,
        constrained=not free,
        seed=seed,
        fill=fill,
        steps=steps,
        wordings=wordings,
    )
    weights = fingerprint(find(model))
    name = Path(model).name or "model"
    folder = "-".join(part for part in (name, weights[:6], settings.folder) if part)
    where = out if out is not None else Path("runs") / "audit" / folder

    from rich.console import Console

    console = Console(stderr=True)
    engine = skymoe.load(model, device=device)
    try:
        with progress(console, ended="answers") as watch:
            found = audit_model(
                engine,
                {"name": name, "weights": weights},
                chosen,
                where,
                settings,
                audits=audits,
                fresh=fresh,
                watch=watch,
            )
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command continues; what is there is in {where}.")
        raise typer.Exit(130) from None
    done = any(one["results"] for one in found["audits"].values())
    _print(found, where, as_json, as_markdown, done)
    for skipped, reason in found["skipped"].items():
        console.print(f"skipped {skipped}: {reason}", markup=False, soft_wrap=True)
    if not done:
        raise typer.Exit(2)
    console.print(f"Report: {where / 'report.html'}", markup=False, soft_wrap=True)


def _print(found: dict[str, Any], where: Path, as_json: bool, as_markdown: bool, done: bool) -> None:
    from rich.console import Console

    from skymoe.evaluation.audits import report

    if as_json:
        # The file, not `found`: it has no pictures in it.
        typer.echo((where / "report.json").read_text(encoding="utf-8"), nl=False)
    elif as_markdown:
        typer.echo(report.markdown(found), nl=False)
    elif done:
        console = Console()
        if not console.is_terminal:
            console.width = 160  # a file or a pipe need not be cut to a terminal's width
        console.print(report.table(found))
        for note in report.notes(found):
            console.print(f"· {note}", markup=False, highlight=False, soft_wrap=True)
