"""`skymoe data build`, `preview` and `check`: instruction corpora."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skymoe.cli.data import Root, data
from skymoe.cli.progress import progress
from skymoe.cli.terminal import output

Corpus = Annotated[Path, typer.Argument(metavar="CORPUS", help="The folder of a finished corpus.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; the result does not depend on it. Default: one a core.")
]


@data.command("build")
def build_corpus(
    recipe: Annotated[Path, typer.Argument(help="A corpus recipe, such as recipes/corpus-nano.yaml.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the recipe: --set sources.0.cap=1000")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The corpus's folder, instead of the recipe's.")
    ] = None,
    skip_absent: Annotated[
        bool, typer.Option("--skip-absent", help="Leave out sources that are not there, and say why.")
    ] = False,
    workers: Workers = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what is there and begin anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Build an instruction corpus by a recipe; run it again to continue where it stopped."""
    from skymoe.data.corpus.build import build
    from skymoe.data.corpus.recipe import load_corpus_recipe

    changes = [*(overrides or ()), *([f"output={json.dumps(str(out))}"] if out else ())]
    loaded = load_corpus_recipe(recipe, [*changes, *(["absent=skip"] if skip_absent else ())])
    try:
        with progress() as watch:
            manifest = build(loaded, workers=workers, fresh=fresh, watch=watch)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. The same command continues; what is there is in {loaded.output}.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
        return
    _print_manifest(manifest)
    typer.echo(f"{manifest['items']:,} items on {manifest['samples']:,} pictures: {loaded.output}")


@data.command("preview")
def preview_corpus(
    corpus: Corpus,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page goes.")] = Path("corpus.html"),
    per: Annotated[int, typer.Option(min=1, help="Items shown of each source and task.")] = 6,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
) -> None:
    """Write a page that shows items of a corpus, with boxes drawn."""
    from skymoe.data.corpus.preview import write_preview

    shown = write_preview(corpus, out, per=per, seed=seed)
    typer.echo(f"{shown} items shown. Open {out} in a browser.")


@data.command("check")
def check_corpus(
    corpus: Corpus,
    leakage: Annotated[bool, typer.Option(help="Also compare with the test pictures that are there.")] = True,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", help="Only test pictures of this data set; may be repeated. Default: all there."
        ),
    ] = None,
    root: Root = None,
    exclusions: Annotated[
        Path | None,
        typer.Option("--exclusions", help="Write the leaking samples there, for the recipe's `exclude`."),
    ] = None,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check a corpus: form, boxes, answers against annotation, phrases, and leakage of test pictures.

    Exit code 1 when anything is not as it should be.
    """
    from skymoe.data.corpus.checking import check

    with progress() as watch:
        report = check(corpus, workers=workers, watch=watch)
        if leakage:
            from skymoe.data.corpus.leakage import benchmark_splits, find_leaks, write_exclusions

            # Whoever asks for nothing in particular shall not lose the rest of the report.
            leakage = bool(against or exclusions or benchmark_splits((), root)[0])
            if not leakage:
                typer.echo("leakage: no data set with test pictures is here to compare with", err=True)
        if leakage:
            found = find_leaks(corpus, against or (), root=root, workers=workers, watch=watch)
            if exclusions is not None:
                write_exclusions(found["leaks"], exclusions)
            report["leakage"] = {**found, "leaks": [leak.record() for leak in found["leaks"]]}
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        _print_report(report, exclusions)
    if report["faults"] or (leakage and report["leakage"]["leaks"]):
        raise typer.Exit(1)


def _print_manifest(manifest: dict[str, Any]) -> None:
    from rich.table import Table

    columns = (
        "entries", "without a sample", "samples left out", "items made", "quarantined", "duplicate", "capped", "out",
    )  # fmt: skip
    table = Table("source", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for source in manifest["sources"]:
        entries, samples, items = source["entries"], source["samples"], source["items"]
        numbers = (
            entries["in"], entries["quarantined"], samples["in"] - samples["out"], items["in"], items["quarantined"],
            items["duplicate"], items["capped"], items["out"],
        )  # fmt: skip
        table.add_row(f"{source['source']} {source['split']}", *(f"{number:,}" for number in numbers))
    output().print(table)
    tasks = ", ".join(f"{name} {many:,}" for name, many in manifest["tasks"].items())
    typer.echo(f"tasks: {tasks}. What was left out, and why: quarantine.jsonl")
    for skipped in manifest["skipped"]:
        typer.echo(f"skipped {skipped['source']}: {skipped['reason']}")


def _print_report(report: dict[str, Any], exclusions: Path | None) -> None:
    typer.echo(f"{report['items']:,} items and {report['samples']:,} pictures checked")
    for rule, many in report["rules"].items():
        typer.echo(f"  {rule}: {many:,}")
    for rule, many in report["faults"].items():
        typer.echo(f"! {rule}: {many:,} faults")
    for fault in report["first"]:
        typer.echo(f"    {fault['id']}: {fault['detail']}")
    if not report["faults"]:
        typer.echo("no faults")
    if (leakage := report.get("leakage")) is None:
        return
    for each in leakage["benchmarks"]:
        same, place = each["same picture"], each["same place"]
        typer.echo(
            f"{each['benchmark']} {each['split']}: {each['pictures']:,} test pictures, {same:,} in the corpus, "
            f"{place:,} more show a place of it"
        )
    for leak in leakage["leaks"][:20]:
        typer.echo(f"  {leak['source']} {leak['sample']}: {leak['reason']}")
    if len(leakage["leaks"]) > 20:
        typer.echo(f"  … {len(leakage['leaks']):,} in all")
    if leakage["leaks"]:
        where = f"listed in {exclusions}" if exclusions else "list them with --exclusions FILE"
        typer.echo(f"! leakage; {where}, and give the file to the recipe: exclude: [FILE]")
