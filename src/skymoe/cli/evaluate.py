"""`skymoe eval`: score a model, ours or anybody's, on official test splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli import judged
from skymoe.cli.judged import FOREIGN, SHOWN

if TYPE_CHECKING:
    from skymoe.evaluation.benchmarks import Benchmark

ASKED = "What is asked"


def evaluate(
    model: judged.Judged = "nano",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", "-b", help="Which one, or a family (paper, grounding …); may be repeated. Default: all "
            "whose data are there.", rich_help_panel=ASKED,
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="All of them; the report names those whose data are not there.", rich_help_panel=ASKED
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="Your own files in place of benchmarks: a training recipe (what its sources hold out), or coco, yolo, "
            "voc, class-folders, conversations, csv with -o.", rich_help_panel=ASKED,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", "-o", help="An option of --data, such as -o annotations=a.json; may be repeated.",
            rich_help_panel=ASKED,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Only a seeded choice of so many pictures a benchmark.", rich_help_panel=ASKED),
    ] = None,
    split: Annotated[str, typer.Option(help="test or val.", rich_help_panel=ASKED)] = "test",
    batch_size: judged.BatchSize = 32,
    num_beams: judged.Beams = None,
    free: judged.Free = False,
    baselines: Annotated[
        bool, typer.Option(help="Also the blind model and the best constant answer.")
    ] = True,
    boxes: judged.Boxes = "geochat",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Tell it the form of the answers: the list of scenes, how boxes are written. Easier than "
            "the plain question, and told in the report.", rich_help_panel=FOREIGN,
        ),
    ] = False,
    engine: judged.Engine = "auto",
    dtype: Annotated[
        str, typer.Option(help="auto, float32, bfloat16 or float16.", rich_help_panel=FOREIGN)
    ] = "auto",
    max_tokens: judged.MaxTokens = None,
    concurrency: judged.Concurrency = 8,
    key: judged.Key = None,
    seed: Annotated[int, typer.Option(help="Of --limit and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of predictions and report. Default: runs/eval/MODEL-WEIGHTS.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw earlier predictions away.")] = False,
    device: judged.Device = "auto",
    as_json: judged.Json = False,
    as_markdown: judged.Markdown = False,
    show: Annotated[
        bool, typer.Option("--list", help="Only list the benchmarks.", rich_help_panel=SHOWN)
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option(
            help="Ask nobody: write the questions, their pictures' paths and their references into this folder, for "
            "models that run elsewhere; skymoe score takes the answers, and lmms-eval the folder.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
) -> None:  # fmt: skip
    """Score a model on official test splits or on your own files, beside a blind run and the best constant answer.

    Predictions are written before they are scored. Run the same command again to continue where it stopped.
    """
    from skymoe.errors import UserError
    from skymoe.evaluation.benchmarks import BENCHMARKS, FAMILIES, available, select
    from skymoe.evaluation.engines.asking import Asking

    if show:
        _list(BENCHMARKS, FAMILIES)
        return
    if benchmark and everything:
        raise UserError("--all and --benchmark exclude each other: give one of them")
    if data is not None and (benchmark or everything):
        raise UserError("--data asks about your own files alone: leave --benchmark and --all out")
    if option and data is None:
        raise UserError("--option goes with --data: skymoe eval --data coco -o annotations=a.json")
    chosen = select(benchmark) if benchmark else list(BENCHMARKS.values())
    judged.check_split(split)
    if data is not None:
        from skymoe.data.sources.options import all_named
        from skymoe.evaluation.benchmarks.own_files import own_benchmarks

        chosen = own_benchmarks(data, all_named(option or ()), split)
    elif not benchmark and not everything:
        chosen = available() or chosen
    asking = Asking(boxes, explain, max_tokens)
    if questions is not None:
        _write_questions(questions, chosen, split, limit, seed, boxes)
        return

    from rich.console import Console

    from skymoe.evaluation.engines import open_engine
    from skymoe.evaluation.running import Settings
    from skymoe.evaluation.running import evaluate as evaluate_model

    opened = open_engine(
        model, engine=engine, device=device, dtype=dtype, batch_size=batch_size, concurrency=concurrency, key=key,
        asking=asking,
    )  # fmt: skip
    if opened.typed and (boxes != "geochat" or explain or max_tokens is not None):
        raise UserError(
            "--boxes, --explain and --max-tokens are for models of others; --engine transformers makes it one"
        )
    beams = judged.beams_of(opened, num_beams)
    settings = Settings(
        split, limit, batch_size, beams, opened.typed and not free, baselines, seed, boxes, explain
    )
    where = judged.folder_of("eval", opened, settings.folder, out)
    console = Console(stderr=True)
    with judged.watched(console, where) as watch:
        found = evaluate_model(
            opened.engine, opened.identity, chosen, where, settings,
            fresh=fresh, watch=watch, trained_on=opened.trained_on,
        )  # fmt: skip
    _print(found, as_json, as_markdown)
    judged.say_skipped(console, found)
    if not found["results"]:
        raise typer.Exit(2)
    console.print(f"Predictions and report: {where}", markup=False, soft_wrap=True)


def _list(benchmarks: dict[str, Benchmark], families: dict[str, tuple[str, ...]]) -> None:
    for known in benchmarks.values():
        there = " " if known.state().found else "–"
        typer.echo(
            f"{there} {known.name:20} {known.task:9} {known.title}"
            + (f": {known.note}" if known.note else "")
        )
    typer.echo("\n– its data are not here (skymoe data list says where they can be had)\n")
    for family, members in families.items():
        typer.echo(f"  {family:20} {', '.join(members)}")


def _write_questions(
    folder: Path, benchmarks: list[Benchmark], split: str, limit: int | None, seed: int, boxes: str
) -> None:
    from skymoe.errors import UserError
    from skymoe.evaluation.questions import write_questions

    written = 0
    for one in benchmarks:
        try:
            path, asked = write_questions(folder, one, split, limit=limit, seed=seed, boxes=boxes)
        except UserError as error:
            typer.echo(f"skipped {one.name}: {error}", err=True)
            continue
        written += 1
        typer.echo(f"{path}: {asked:,} questions")
    if not written:
        raise typer.Exit(2)


def _print(found: dict[str, Any], as_json: bool, as_markdown: bool) -> None:
    import json

    from skymoe.evaluation import report

    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    elif as_markdown:
        typer.echo(report.markdown(found), nl=False)
    elif found["results"]:
        judged.print_table(report.table(found), report.notes(found))
