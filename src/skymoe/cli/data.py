"""`skymoe data list`, `show`, `verify` and `unpack`: which data sets are there, whether they are whole, mirrors."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.answering import printable
from skymoe.cli.terminal import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skymoe.data.sources import Source, Verification

data = typer.Typer(
    help="Data sets: what is there, whether it is whole, and what becomes of it.", no_args_is_help=True
)

Root = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of the data sets. Default: SKYMOE_DATA, else ../shared/data."),
]
_COLOURS = {"found": "green", "ok": "green", "incomplete": "yellow", "absent": "dim"}


@data.command("list")
def list_sources(
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show every data set with its state (found, incomplete, absent) and what to do about it.

    Looks for the files and reads none; `skymoe data verify` reads them.
    """
    from skymoe.data.sources import FORMATS, SOURCES

    rows = [_row(name, root) for name in SOURCES]
    formats = [_format_row(name) for name in FORMATS]
    if as_json:
        typer.echo(json.dumps({"sources": rows, "formats": formats}, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("data set", "state", "samples", "what it is, or what to do"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "samples" else "left")
    for row in rows:
        colour = _COLOURS.get(row["state"], "red")
        samples = f"{sum(row['counts'].values()):,}" if row["counts"] else ""
        said = row["remedy"] or row["summary"]
        table.add_row(row["name"], f"[{colour}]{row['state']}[/]", samples, printable(said))
    output().print(table)
    typer.echo("\nYour own files, with the options of `skymoe data verify NAME -o option=value`:")
    for row in formats:
        typer.echo(f"  {row['name']}: {', '.join(row['options']) or row['remedy']}")


@data.command("show")
def show(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Data sets, or formats of your own files.")
    ],
    root: Root = None,
) -> None:
    """Show a data set's card: what it is, splits and who fixed them, licence, citation, where to get it, faults."""
    from skymoe.data.sources import FORMATS, get_source, source_class

    for number, name in enumerate(dict.fromkeys(names)):
        reader = source_class(name)
        if number:
            typer.echo()
        typer.secho(name, bold=True)
        typer.echo(reader.about())
        if name not in FORMATS:
            state = get_source(name, root).state()
            typer.echo(f"\nHere: {state.verdict}, {printable(str(state.root))}")


@data.command("verify")
def verify_sources(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Data sets. Default: all that are there.")
    ] = None,
    root: Root = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of a reader of your own files: -o annotations=a.json"),
    ] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Decode every picture, which finds truncated ones.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read data sets and compare the numbers of each split with the official ones.

    Names what is missing or damaged. Exit code 1 when anything is not as it should be.
    """
    from skymoe.data.sources import SOURCES, get_source, verify
    from skymoe.data.sources.options import all_named
    from skymoe.errors import UserError

    options = all_named(option or ())
    if names:
        chosen = [get_source(name, root, **options) for name in dict.fromkeys(names)]
    elif options:
        raise UserError("--option goes with a NAME: skymoe data verify coco -o annotations=a.json")
    else:
        chosen = [source for name in SOURCES if (source := _present(name, root)) is not None]
    for source in chosen:
        for wanted in split or ():
            if wanted not in source.splits:
                raise UserError(
                    f"{source.name}: there is no split {wanted!r}; it has {', '.join(source.splits)}"
                )
    found = []
    for source in chosen:
        with _watching(source.name) as watch:
            found.append(verify(source, splits=split, pixels=pixels, watch=watch))
        if not as_json:
            _print(found[-1])
    if as_json:
        typer.echo(json.dumps([result.to_dict() for result in found], ensure_ascii=False))
    elif not found:
        typer.echo("No data set is there; `skymoe data list` says what to do.")
    if not all(result.ok for result in found):
        raise typer.Exit(1)


@data.command("unpack")
def unpack(
    name: Annotated[
        str,
        typer.Argument(
            help="rsicd, ucm-captions, sydney-captions, rsitmd; resisc45, aid, whu-rs19 or uc-merced."
        ),
    ],
    mirror: Annotated[Path, typer.Argument(help="Folder that a Parquet mirror was downloaded to.")],
    root: Root = None,
) -> None:
    """Unpack a Parquet mirror of a data set of captions or scenes (Hugging Face) into the official layout.

    Writes pictures and annotations below the folder of the data sets, where they are read from.
    """
    from skymoe.data.sources import data_root
    from skymoe.data.sources.mirrors import unpack_mirror

    where = root if root is not None else data_root()
    counts, damaged = unpack_mirror(name, mirror, where)
    for row in damaged:
        typer.echo(f"left out {printable(row.entry)}: {printable(row.reason)}", err=True)
    numbers = ", ".join(f"{split} {number:,}" for split, number in counts.items())
    typer.echo(f"{name}: {numbers or 'nothing'} in {where}; see skymoe data verify {name}")
    if not counts:
        raise typer.Exit(1)


def _row(name: str, root: Path | None) -> dict[str, Any]:
    from skymoe.data.sources import get_source
    from skymoe.errors import UserError

    try:
        source = get_source(name, root)
    except UserError as error:  # its reader needs something that is not installed
        return {"name": name, "state": "unavailable", "root": "", "missing": [], "remedy": str(error), "summary": "",
                "licence": "", "counts": {}}  # fmt: skip
    state = source.state()
    return {
        "name": name, "state": state.verdict, "root": str(state.root), "missing": list(state.missing),
        "remedy": state.remedy, "summary": _summary(source), "licence": source.licence, "counts": source.counts,
    }  # fmt: skip


def _format_row(name: str) -> dict[str, Any]:
    import inspect

    from skymoe.data.sources import source_class
    from skymoe.errors import UserError

    try:
        parameters = list(inspect.signature(source_class(name)).parameters.values())[1:]
    except UserError as error:
        return {"name": name, "options": [], "remedy": str(error)}
    options = [
        p.name if p.default is p.empty else f"[{p.name}]" for p in parameters if p.kind is not p.VAR_KEYWORD
    ]
    return {"name": name, "options": options, "remedy": ""}


def _present(name: str, root: Path | None) -> Source | None:
    from skymoe.data.sources import get_source
    from skymoe.errors import UserError

    try:
        source = get_source(name, root)
    except UserError:
        return None
    return None if source.state().verdict == "absent" else source


def _summary(source: Source) -> str:
    """The first paragraph of the card."""
    return " ".join(source.card.partition("\n\n")[0].split())


def _print(result: Verification) -> None:
    console = output()
    colour = _COLOURS.get(result.verdict, "red")
    console.print(f"[bold]{result.state.name}[/]  [{colour}]{result.verdict}[/]", highlight=False)
    for check in result.splits:
        numbers = [
            f"{number:,} {what}" for what, number in check.found.items() if number or what in check.official
        ]
        console.print(f"  {check.split}: {', '.join(numbers)}", markup=False, highlight=False, soft_wrap=True)
    for problem in result.problems():
        console.print(f"  ! {printable(problem)}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _watching(name: str) -> Iterator[Callable[[str], object]]:
    """How far the reading is, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}: {task.completed:,} samples"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(name, total=None)

        def watch(split: str) -> None:
            progress.update(task, advance=1, description=f"{name} {split}")

        yield watch
