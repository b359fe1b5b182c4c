"""The table as files, in the shape of the paper's Table 8: Markdown, JSON with every value, CSV; and for terminals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.running import versions
from skymoe.evaluation.scoring import LOWER_IS_BETTER, PERCENT
from skymoe.train.checkpoints import replace_file

from .schema import Cell, Judged, Sweep
from .settings import Run
from .table import Table, make_table, shown

MARKDOWN, JSON, CSV = "table.md", "table.json", "table.csv"


def write(sweep: Sweep, runs: Sequence[Run]) -> None:
    """The three files in the sweep's folder, each replaced as a whole."""
    table = make_table(sweep, runs)
    sweep.output.mkdir(parents=True, exist_ok=True)
    replace_file(sweep.output / MARKDOWN, markdown(table))
    replace_file(sweep.output / JSON, json.dumps(document(table, runs), indent=1, ensure_ascii=False) + "\n")
    replace_file(sweep.output / CSV, comma_separated(table))


def heads(sweep: Sweep) -> list[str]:
    """Names of the columns."""
    titles = [axis.title or axis.name for axis in sweep.axes]
    return [*titles, "repeats", *(f"{one.title} ({_measure(one)})" for one in sweep.judge)]


def lines(table: Table) -> Iterator[tuple[str, list[list[str]]]]:
    """The parts of the table: title, and a line for each cell."""
    for title, cells in table.sweep.parts:
        yield title, [_line(table, cell) for cell in cells]


def _line(table: Table, cell: Cell) -> list[str]:
    entries = [(one, table.entries[cell, one.name]) for one in table.sweep.judge]
    values = [shown(one, entry.mean, entry.deviation) for one, entry in entries]
    return [*(label for _, label in cell.labels), str(table.finished(cell)), *values]


def markdown(table: Table) -> str:
    """The table, the same blind, how large noise is, and what was done."""
    sweep = table.sweep
    text = [f"# {sweep.name}", "", *_grid(heads(sweep), lines(table), len(sweep.axes)), ""]
    done = sum(table.finished(cell) for cell in sweep.cells)
    wanted = len(sweep.cells) * len(sweep.seeds)
    if done < wanted:
        text += [f"**Not finished: {done} of {wanted} runs.** · is not there yet.", ""]
    text += ["Mean ± standard deviation over repeats, which differ in their seed alone.", "", *_noise(table)]
    if any(entry.blind for entry in table.entries.values()):
        text += [
            "## Blind",
            "",
            "The same models on pictures of one colour, and the best constant answer.",
            "",
        ]
        text += [*_grid(heads(sweep), _blind(table), len(sweep.axes)), ""]
    text += ["## Protocol", "", *(f"- {line}" for line in _protocol(table))]
    return "\n".join(text) + "\n"


def _grid(head: list[str], parts: Any, left: int) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join([' --- '] * left + [' --: '] * (len(head) - left))}|"
    for title, rows in parts:
        if title:
            yield f"| *{title}* |{' |' * (len(head) - 1)}"
        for row in rows:
            yield f"| {' | '.join(row)} |"


def _noise(table: Table) -> Iterator[str]:
    found = [(one, table.noise(one)) for one in table.sweep.judge]
    if all(noise is None for _, noise in found):
        return
    yield "| Noise | " + " | ".join(one.title for one, _ in found) + " |"
    yield "| --- |" + " --: |" * len(found)
    yield (
        "| standard deviation of one run, pooled over the cells | "
        + " | ".join(shown(one, noise.deviation if noise else None) for one, noise in found)
        + " |"
    )
    yield (
        "| difference of two means that noise exceeds in 1 of 20 | "
        + " | ".join(shown(one, noise.least if noise else None) for one, noise in found)
        + " |"
    )
    yield ""


def _blind(table: Table) -> Iterator[tuple[str, list[list[str]]]]:
    judge, axes = table.sweep.judge, len(table.sweep.axes)
    rows = []
    for cell in table.sweep.cells:
        entries = [(one, table.entries[cell, one.name]) for one in judge]
        often = max(len(entry.blind) for _, entry in entries)
        values = [shown(one, entry.blind_mean) for one, entry in entries]
        rows.append([*(label for _, label in cell.labels), str(often), *values])
    constants = [
        next(
            (e.constant for c in table.sweep.cells if (e := table.entries[c, one.name]).constant is not None),
            None,
        )
        for one in judge
    ]
    last = [
        "constant",
        *[""] * axes,
        *(shown(one, value) for one, value in zip(judge, constants, strict=True)),
    ]
    yield "", [*rows, last]


def _protocol(table: Table) -> Iterator[str]:
    sweep = table.sweep
    yield f"Recipe {sweep.recipe.name}, seeds {', '.join(map(str, sweep.seeds))}."
    for key, value in sweep.settings.items():
        yield f"All cells: `{key}` = `{value}`."
    for axis in sweep.axes:
        for label in axis.values:
            settings = ", ".join(f"`{key}` = `{value}`" for key, value in axis.settings(label).items())
            yield f"{axis.title or axis.name} {label}: {settings or 'as the recipe has it'}."
    if sweep.shared.stages:
        yield f"Trained once for all cells and repeats: {', '.join(sweep.shared.stages)}."
    for one in sweep.judge:
        benchmark = get_benchmark(one.benchmark)
        asked = {
            result[one.name]["n"]
            for runs in table.runs.values()
            for result in runs.values()
            if one.name in result
        }
        questions = f", {max(asked):,} questions" if asked else ""
        limit = f", a seeded choice of {one.limit:,} pictures" if one.limit else ""
        yield f"{one.title}: {benchmark.title}, {one.split} split{limit}{questions}; {benchmark.note or 'all of it'}."


def _measure(judged: Judged) -> str:
    arrow = ", lower is better" if judged.metric in LOWER_IS_BETTER else ""
    return f"{judged.metric}{', %' if judged.metric in PERCENT else ''}{arrow}"


def document(table: Table, runs: Sequence[Run]) -> dict[str, Any]:
    """Everything, in plain JSON types: each cell's means, each run's metrics with intervals, and its settings."""
    sweep = table.sweep
    folders = {(run.cell, run.seed): str(run.folder) for run in runs}
    cells = []
    for cell in sweep.cells:
        values = {}
        for one in sweep.judge:
            entry = table.entries[cell, one.name]
            values[one.title] = {
                "mean": entry.mean, "deviation": entry.deviation, "values": entry.values, "blind": entry.blind,
                "constant": entry.constant,
            }  # fmt: skip
        repeats = [
            {"seed": seed, "folder": folders[cell, seed], "results": found}
            for seed, found in table.runs[cell].items()
        ]
        cells.append({"cell": dict(cell.labels), "values": values, "runs": repeats})
    noises = {one.title: table.noise(one) for one in sweep.judge}
    return {
        "name": sweep.name,
        "sweep": sweep.model_dump(mode="json", by_alias=True),
        "versions": versions(),
        "columns": [{"name": one.name, **one.model_dump(mode="json")} for one in sweep.judge],
        "cells": cells,
        "noise": {
            title: {
                "deviation": one.deviation,
                "freedom": one.freedom,
                "repeats": one.repeats,
                "least": one.least,
            }
            for title, one in noises.items()
            if one is not None
        },
    }


def comma_separated(table: Table) -> str:
    """One line a cell, values unrounded: mean, deviation and blind mean of each column."""
    sweep = table.sweep
    out = io.StringIO()
    sheet = csv.writer(out, lineterminator="\n")
    columns = [f"{one.title}{part}" for one in sweep.judge for part in ("", " deviation", " blind")]
    sheet.writerow([*(axis.title or axis.name for axis in sweep.axes), "repeats", *columns])
    for cell in sweep.cells:
        row: list[Any] = [*(label for _, label in cell.labels), table.finished(cell)]
        for one in sweep.judge:
            entry = table.entries[cell, one.name]
            row += ["" if v is None else v for v in (entry.mean, entry.deviation, entry.blind_mean)]
        sheet.writerow(row)
    return out.getvalue()
