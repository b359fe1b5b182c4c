"""`skymoe demo`: the five tasks on bundled pictures, in the terminal and as a page."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.options import Device, Model, load_quietly
from skymoe.errors import UserError

if TYPE_CHECKING:
    from skymoe.demo import Shown


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page goes.")] = Path("demo.html"),
    model: Model = "nano",
    device: Device = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of panels.")
    ] = False,
) -> None:
    """Show what the model says about bundled pictures, and write a page with boxes and experts."""
    if out.is_dir() or not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise UserError(f"--out {out}: cannot be written there; give a file in a folder of yours")
    started = time.perf_counter()
    engine = load_quietly(model, device)

    from rich.console import Console

    from skymoe import demo as demonstration

    console = Console()
    if not console.is_terminal:
        console.width = 100
    shown = []
    for one in demonstration.show(engine, demonstration.pictures()):
        shown.append(one)
        if not as_json:
            console.print(_panel(one))
    seconds = time.perf_counter() - started
    about = demonstration.facts(engine)
    _write(out, demonstration.page(shown, about, seconds))
    if as_json:
        document = {
            **about,
            "seconds": seconds,
            "page": str(out),
            "pictures": [one.to_dict() for one in shown],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        console.print(
            f"{len(shown)} pictures in {seconds:.1f} s. Open {out} in a browser.",
            markup=False,
            soft_wrap=True,
        )


def _panel(shown: Shown) -> Any:
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from skymoe.cli.answering import said

    table = Table.grid(padding=(0, 3, 0, 0))
    for label, chance in shown.scenes[:1]:
        table.add_row(
            Text("Which scene?", style="dim"), Text(label, style="bold"), Text(f"{chance:.0%}", style="dim")
        )
    for question, answer in shown.answers:
        sure = f"{answer.confidence or 0:.0%}"
        table.add_row(Text(question, style="dim"), Text(said(answer), style="bold"), Text(sure, style="dim"))
    caption = Text(shown.caption.text + "\n", style="italic")
    return Panel(
        Group(caption, table), title=Text(shown.name), title_align="left", border_style="dim", padding=(0, 2)
    )


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"--out {path}: cannot be written ({error.strerror or error})") from error
