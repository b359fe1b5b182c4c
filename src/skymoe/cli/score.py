"""`skymoe score`: numbers for a file of predictions, of whatever model."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.answering import printable
from skymoe.errors import UserError

if TYPE_CHECKING:
    from skymoe.evaluation.lines import Lines
    from skymoe.evaluation.scoring import Score


def score(
    task: Annotated[str, typer.Argument(help="caption, vqa, ground, count or classify.")],
    file: Annotated[
        Path, typer.Argument(help="Prediction lines (JSONL), or with --convert another project's file.")
    ],
    protocol: Annotated[
        str, typer.Option(help="standard, or paper: for comparison with the SkyMoE paper's tables only.")
    ] = "standard",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, as fractions.")] = False,
    details: Annotated[
        Path | None, typer.Option(help="Write what became of every line to this file (JSONL).")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out lines that cannot be used, instead of stopping.")
    ] = False,
    boxes: Annotated[
        str | None,
        typer.Option(
            help="ground: how answers write boxes: geochat, vrsbench, vhm, unit, qwen, pixel or auto."
        ),
    ] = None,
    convert: Annotated[
        str | None, typer.Option(help="Whose file it is: geochat, lhrs, vrsbench or earthdial.")
    ] = None,
    references: Annotated[
        Path | None, typer.Option(help="File that has the references by id, where the predictions have none.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="classify: the closed list, separated by commas, where lines have none."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="ground: the pictures' size as WIDTHxHEIGHT, where lines have none.")
    ] = None,
    binned: Annotated[
        str | None,
        typer.Option(
            help="vqa: question types, separated by commas, whose numbers are right within RSVQA's classes "
            "(0, 1-10, 11-100, 101-1000, more), as areas always are; for RSVQA-LR with its raw counts: count."
        ),
    ] = None,
    spice: Annotated[
        bool,
        typer.Option(
            "--spice",
            help="caption: SPICE too, where its parts are there (Java 8, Stanford's models); else it says why not.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Score predictions by fixed rules, with a 95 % interval beside every number.

    An answer that cannot be read is wrong and stays in the denominator. docs/evaluation.md says what a line holds.
    """
    from skymoe.boxes import NOTATIONS
    from skymoe.evaluation.scoring import check_protocol, require, score_records
    from skymoe.tasks import TASKS

    if task not in TASKS:
        raise UserError(f"there is no task {printable(repr(task))}: choose one of {', '.join(TASKS)}")
    check_protocol(protocol)
    if boxes is not None and boxes not in NOTATIONS:
        raise UserError(f"unknown box notation {boxes!r}: choose one of {', '.join(NOTATIONS)}")
    if details is not None and details.resolve() in (file.resolve(), references and references.resolve()):
        raise UserError(f"--details {details} is a file that is read: name another")
    if spice and (task, protocol) != ("caption", "standard"):
        raise UserError("--spice is for captions by protocol standard: leave it out")
    require(task, protocol)
    lines, notation = _read(task, file, convert, references, labels, image_size, skip_invalid, boxes)
    by_class = _names(binned, "--binned")
    for record in lines.records:
        if by_class and record.get("question_type") in by_class:
            record["binned"] = True
    found = score_records(task, lines.records, protocol=protocol, boxes=notation, seed=seed, spice=spice)
    if details is not None:
        _write(details, found.items)
    said = dict(lines.notes)
    if lines.invalid:
        total = len(lines.records) + len(lines.invalid)
        left_out = said["lines"] = f"{len(lines.invalid):,} of {total:,} left out"
        typer.echo("skymoe: " + printable(f"{file}: {left_out}: {lines.complaint()}"), err=True)
    if as_json:
        document = found.document()
        document["implementation"] |= said
        typer.echo(json.dumps(document, allow_nan=False))
    else:
        _show(found, said)


def _read(
    task: str,
    file: Path,
    convert: str | None,
    references: Path | None,
    labels: str | None,
    image_size: str | None,
    skip_invalid: bool,
    boxes: str | None,
) -> tuple[Lines, str]:
    """The lines, and the notation of their boxes."""
    from skymoe.evaluation.converters import Converter
    from skymoe.evaluation.lines import read_lines, read_references

    names = _names(labels, "--labels")
    size = _size(image_size)
    converter = Converter(convert, task, size) if convert is not None else None
    lines = read_lines(
        file,
        task,
        rewrite=converter,
        references=read_references(references) if references is not None else None,
        labels=names,
        image_size=size,
        skip_invalid=skip_invalid,
    )
    return lines, boxes or (converter.boxes if converter else "geochat")


def _names(text: str | None, option: str) -> list[str]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise UserError(f"{option} is empty: write names, separated by commas")
    return names


def _size(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text)
    if match is None or not (int(match[1]) and int(match[2])):
        raise UserError(
            f"--image-size {printable(repr(text))}: write WIDTHxHEIGHT in pixels, for instance 512x512"
        )
    return float(match[1]), float(match[2])


def _write(path: Path, items: list[dict[str, Any]]) -> None:
    """As a whole or not at all."""
    if path.is_dir():
        raise UserError(f"--details {path} is a folder: name a file")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(item, allow_nan=False) + "\n" for item in items)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"--details {path} cannot be written: {error.strerror or error}") from error


def _show(found: Score, said: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from skymoe.evaluation.scoring import PERCENT

    console = Console()
    if not console.is_terminal:
        console.width = 120  # a file or a pipe need not be cut to a terminal's width
    table = Table(title=f"{found.task} · protocol {found.protocol} · {found.n:,} items", title_justify="left")
    table.add_column("metric", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    parts = [("", found.metrics), *found.by.items()]
    for part, metrics in parts:
        for name, estimate in metrics.items():
            form = "{:.1%}" if name in PERCENT else "{:.3f}"
            value, low, high = map(form.format, (estimate["value"], estimate["low"], estimate["high"]))
            table.add_row(f"{name}, {printable(part)}" if part else name, value, f"{low} – {high}")
        if not part and found.by:
            table.add_section()
    console.print(table)
    told = {"unparsable": f"{found.unparsable:.1%} of the answers, counted as wrong", **said, **found.notes}
    if found.protocol == "paper":
        told["protocol paper"] = "for comparison with the SkyMoE paper's tables only"
    for name, text in told.items():
        console.print(f"· {name}: {text}", markup=False, highlight=False, soft_wrap=True)
