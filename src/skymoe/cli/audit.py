"""`skymoe audit`: what a table of accuracies leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from skymoe.cli.progress import progress

FOREIGN, SHOWN = "Models of others", "What is shown"


def audit(
    model: Annotated[
        str,
        typer.Argument(
            help="nano, the directory of a checkpoint (any image-text-to-text model of Transformers), a Hugging Face "
            "id, or an OpenAI-compatible endpoint, http(s)://HOST/v1#MODEL."
        ),
    ] = "nano",
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
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered together.")] = 32,
    num_beams: Annotated[
        int | None,
        typer.Option(min=1, help="Beams for captions; 1 is greedy.", show_default="5; 1 for models of others"),
    ] = None,
    free: Annotated[
        bool,
        typer.Option(
            "--free", help="Let the model say what it likes, not only valid answers (models of others always do)."
        ),
    ] = False,
    boxes: Annotated[
        str,
        typer.Option(
            help="How it writes boxes: geochat, vrsbench, vhm, unit, qwen, pixel or auto.", rich_help_panel=FOREIGN
        ),
    ] = "geochat",
    engine: Annotated[
        str,
        typer.Option(help="auto, skymoe, transformers or endpoint: what answers.", rich_help_panel=FOREIGN),
    ] = "auto",
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Longest answer, for models that think aloud.", rich_help_panel=FOREIGN),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Questions an endpoint is asked at once.", rich_help_panel=FOREIGN)
    ] = 8,
    key: Annotated[
        str | None,
        typer.Option(
            help="The environment variable with the endpoint's key.", show_default="SKYMOE_API_KEY",
            rich_help_panel=FOREIGN,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --limit, of the masks and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of answers and report. Default: runs/audit/MODEL-WEIGHTS.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier answers away.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda …")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=SHOWN)
    ] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.", rich_help_panel=SHOWN)
    ] = False,
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
    if split not in ("test", "val"):
        raise UserError(f"--split {split!r}: choose test or val")
    chosen = select(benchmark) if benchmark else available()
    if not chosen:
        raise UserError("no benchmark's data are here: set SKYMOE_DATA to the folder of the data sets")
    asking = Asking(boxes, max_tokens=max_tokens)

    from rich.console import Console

    from skymoe.evaluation.engines import open_engine
    from skymoe.evaluation.predictions import EngineLost

    opened = open_engine(
        model, engine=engine, device=device, batch_size=batch_size, concurrency=concurrency, key=key, asking=asking
    )  # fmt: skip
    if opened.typed and (boxes != "geochat" or max_tokens is not None):
        raise UserError(
            "--boxes and --max-tokens are for models of others; --engine transformers makes it one"
        )
    settings = Settings(
        split=split, limit=limit or None, batch_size=batch_size,
        num_beams=num_beams if num_beams is not None else 5 if opened.typed else 1,
        constrained=opened.typed and not free, boxes=boxes, seed=seed, fill=fill, steps=steps, wordings=wordings,
    )  # fmt: skip
    folder = "-".join(part for part in (opened.name, opened.weights[:6], settings.folder) if part)
    where = out if out is not None else Path("runs") / "audit" / folder
    console = Console(stderr=True)
    try:
        with progress(console, ended="answers") as watch:
            found = audit_model(
                opened.engine, opened.identity, chosen, where, settings, audits=audits, fresh=fresh, watch=watch
            )  # fmt: skip
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command continues; what is there is in {where}.")
        raise typer.Exit(130) from None
    except EngineLost as error:
        raise UserError(f"{error} (what was answered is in {where})") from None
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
