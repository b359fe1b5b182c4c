"""`skymoe audit`: what a table of accuracies leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skymoe.cli import judged


def audit(
    model: judged.Judged = "nano",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Which audits: masking, blind, phrasing, resolution, invariance, calibration; one, several "
            "with commas, or repeated. Default: all.",
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", "-b", help="On which one, or a family (paper, counting …); may be repeated. Default: all "
            "whose data are there.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="A seeded choice of so many pictures a benchmark; 0 for all.")
    ] = 200,
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    fill: Annotated[str, typer.Option(help="What a mask shows: zero (black), mean or inpaint.")] = "zero",
    steps: Annotated[
        int, typer.Option(min=1, help="Steps of masking; up to so many objects go one by one.")
    ] = 5,
    wordings: Annotated[int, typer.Option(min=2, help="Wordings of every question.")] = 5,
    batch_size: judged.BatchSize = 32,
    num_beams: judged.Beams = None,
    free: judged.Free = False,
    boxes: judged.Boxes = "geochat",
    engine: judged.Engine = "auto",
    max_tokens: judged.MaxTokens = None,
    concurrency: judged.Concurrency = 8,
    key: judged.Key = None,
    seed: Annotated[int, typer.Option(help="Of --limit, of the masks and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of answers and report. Default: runs/audit/MODEL-WEIGHTS.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier answers away.")] = False,
    device: judged.Device = "auto",
    as_json: judged.Json = False,
    as_markdown: judged.Markdown = False,
) -> None:  # fmt: skip
    """Ask whether a model looks, counts, is steady, and knows when it does not know.

    Masked objects, pictures taken away, other wordings, coarser pictures, other orders, confidence. Writes a page with
    charts and pictures. Run the same command again to continue where it stopped.
    """
    from skymoe.errors import UserError
    from skymoe.evaluation.audits.bench import Settings
    from skymoe.evaluation.audits.running import audit as audit_model
    from skymoe.evaluation.audits.running import select as select_audits
    from skymoe.evaluation.benchmarks import available, select
    from skymoe.evaluation.engines.asking import Asking

    audits = select_audits(only or [])
    judged.check_split(split)
    chosen = select(benchmark) if benchmark else available()
    if not chosen:
        raise UserError("no benchmark's data are here: set SKYMOE_DATA to the folder of the data sets")
    asking = Asking(boxes, max_tokens=max_tokens)

    from rich.console import Console

    from skymoe.evaluation.engines import open_engine

    opened = open_engine(
        model, engine=engine, device=device, batch_size=batch_size, concurrency=concurrency, key=key, asking=asking
    )  # fmt: skip
    if opened.typed and (boxes != "geochat" or max_tokens is not None):
        raise UserError(
            "--boxes and --max-tokens are for models of others; --engine transformers makes it one"
        )
    settings = Settings(
        split=split, limit=limit or None, batch_size=batch_size,
        num_beams=judged.beams_of(opened, num_beams),
        constrained=opened.typed and not free, boxes=boxes, seed=seed, fill=fill, steps=steps, wordings=wordings,
    )  # fmt: skip
    where = judged.folder_of("audit", opened, settings.folder, out)
    console = Console(stderr=True)
    with judged.watched(console, where) as watch:
        found = audit_model(
            opened.engine, opened.identity, chosen, where, settings, audits=audits, fresh=fresh, watch=watch
        )
    done = any(one["results"] for one in found["audits"].values())
    _print(found, where, as_json, as_markdown, done)
    judged.say_skipped(console, found)
    if not done:
        raise typer.Exit(2)
    console.print(f"Report: {where / 'report.html'}", markup=False, soft_wrap=True)


def _print(found: dict[str, Any], where: Path, as_json: bool, as_markdown: bool, done: bool) -> None:
    from skymoe.evaluation.audits import report

    if as_json:
        # The file, not `found`: it has no pictures in it.
        typer.echo((where / "report.json").read_text(encoding="utf-8"), nl=False)
    elif as_markdown:
        typer.echo(report.markdown(found), nl=False)
    elif done:
        judged.print_table(report.table(found), report.notes(found))
