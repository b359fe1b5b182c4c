"""What `eval` and `audit` have in common: who is judged, and how a long, resumable run is opened, shown and stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.progress import Watch, progress
from skymoe.cli.terminal import output
from skymoe.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from skymoe.evaluation.engines import Opened

FOREIGN, SHOWN = "Models of others", "What is shown"

Judged = Annotated[
    str,
    typer.Argument(
        help="nano, the directory of a checkpoint (any image-text-to-text model of Transformers), a Hugging Face "
        "id, or an OpenAI-compatible endpoint, http(s)://HOST/v1#MODEL."
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Questions answered together.")]
Beams = Annotated[
    int | None,
    typer.Option(min=1, help="Beams for captions; 1 is greedy.", show_default="5; 1 for models of others"),
]
Free = Annotated[
    bool,
    typer.Option(
        "--free", help="Let the model say what it likes, not only valid answers (models of others always do)."
    ),
]
Boxes = Annotated[
    str,
    typer.Option(
        help="How it writes boxes: geochat, vrsbench, vhm, unit, qwen, pixel or auto.",
        rich_help_panel=FOREIGN,
    ),
]
Engine = Annotated[
    str, typer.Option(help="auto, skymoe, transformers or endpoint: what answers.", rich_help_panel=FOREIGN)
]
MaxTokens = Annotated[
    int | None,
    typer.Option(min=1, help="Longest answer, for models that think aloud.", rich_help_panel=FOREIGN),
]
Concurrency = Annotated[
    int, typer.Option(min=1, help="Questions an endpoint is asked at once.", rich_help_panel=FOREIGN)
]
Key = Annotated[
    str | None,
    typer.Option(
        help="The environment variable with the endpoint's key.", show_default="SKYMOE_API_KEY",
        rich_help_panel=FOREIGN,
    ),
]  # fmt: skip
Device = Annotated[str, typer.Option(help="auto, cpu, cuda …")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=SHOWN)]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print the table as Markdown.", rich_help_panel=SHOWN)
]


def check_split(split: str) -> None:
    """UserError for a split that models are not judged on."""
    if split not in ("test", "val"):
        raise UserError(f"--split {split!r}: choose test or val")


def beams_of(opened: Opened, num_beams: int | None) -> int:
    """Beams for captions: as asked, else five for ours and one for models of others."""
    beams = num_beams if num_beams is not None else 5 if opened.typed else 1
    if opened.kind == "endpoint" and beams > 1:
        raise UserError(f"--num-beams {beams}: an endpoint has no beams, leave it out")
    return beams


def folder_of(kind: str, opened: Opened, settings: str, out: Path | None) -> Path:
    """Where a run is written: as asked, else runs/KIND/MODEL-WEIGHTS, with what of the settings is not plain."""
    name = "-".join(part for part in (opened.name, opened.weights[:6], settings) if part)
    return out if out is not None else Path("runs") / kind / name


@contextmanager
def watched(console: Console, where: Path) -> Iterator[Watch]:
    """Progress bars; an interruption and a model that stops answering say where the answers are."""
    from skymoe.evaluation.predictions import EngineLost

    try:
        with progress(console, ended="answers") as watch:
            yield watch
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command continues; what is there is in {where}.")
        raise typer.Exit(130) from None
    except EngineLost as error:
        raise UserError(f"{error} (what was answered is in {where})") from None


def say_skipped(console: Console, report: dict[str, Any]) -> None:
    """What was left out, and why."""
    for name, reason in report["skipped"].items():
        console.print(f"skipped {name}: {reason}", markup=False, soft_wrap=True)


def print_table(table: Table, notes: list[str]) -> None:
    """A report's table, and what must be said below it."""
    console = output()
    console.print(table)
    for note in notes:
        console.print(f"· {note}", markup=False, highlight=False, soft_wrap=True)
