"""`skymoe augment cutout|relocate|recolour|check`: pictures with other counts, places and colours, and their check."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skymoe.cli.answering import printable
from skymoe.cli.progress import progress
from skymoe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skymoe.augment import Settings
    from skymoe.data.sources import Source
    from skymoe.sample import Sample

augment = typer.Typer(
    help="Change what is local in pictures and keep the scene: masked, moved and recoloured objects, checked.",
    no_args_is_help=True,
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="Data sets (`skymoe data list`), or folders with samples.jsonl and pictures."
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for samples.jsonl, pictures and report.")]
Root = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of the data sets. Default: SKYMOE_DATA, else ../shared/data."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", help="An option of the source's reader: -o annotations=a.json"),
]
Split = Annotated[str, typer.Option(help="train, val or test.")]
Object = Annotated[str | None, typer.Option("--object", help="Only objects of this class.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same pictures, whatever --workers is.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only a seeded choice of so many samples.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes. Default: as many as cores.")]
Preview = Annotated[bool, typer.Option("--preview", help="Also write before/after sheets to OUT/previews.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Throw away what an earlier run wrote to --out.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
OneVariant = Annotated[
    int, typer.Option(min=1, max=64, help="Edited pictures a sample, each of another object.")
]


@augment.command()
def cutout(
    sources: Sources,
    out: Out,
    split: Split = "train",
    variants: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures a sample, each with another count.")
    ] = 4,
    fill: Annotated[str, typer.Option(help="zero (the paper), mean or inpaint.")] = "zero",
    name: Object = None,
    seed: Seed = 0,
    limit: Limit = None,
    workers: Workers = None,
    root: Root = None,
    option: Options = None,
    preview: Preview = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Mask 15 to 30 % of the objects of a class, in several variants with different counts.

    Run the same command again to continue where it stopped.
    """
    from skymoe.augment import Settings
    from skymoe.augment.cutout import FILLS

    if fill not in FILLS:
        raise UserError(f"--fill {fill!r}: choose {', '.join(FILLS[:-1])} or {FILLS[-1]}")
    settings = Settings("cutout", seed, variants, name, fill)
    _build(settings, sources, out, split, limit, workers, root, option, preview, fresh, as_json)


@augment.command()
def relocate(
    sources: Sources,
    out: Out,
    split: Split = "train",
    variants: OneVariant = 1,
    name: Object = None,
    seed: Seed = 0,
    limit: Limit = None,
    workers: Workers = None,
    root: Root = None,
    option: Options = None,
    preview: Preview = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Move an object to another cell of a 3×3 grid, its box and the words of place in its phrase with it.

    Run the same command again to continue where it stopped.
    """
    from skymoe.augment import Settings

    settings = Settings("relocate", seed, variants, name)
    _build(settings, sources, out, split, limit, workers, root, option, preview, fresh, as_json)


@augment.command()
def recolour(
    sources: Sources,
    out: Out,
    split: Split = "train",
    variants: OneVariant = 1,
    name: Object = None,
    seed: Seed = 0,
    limit: Limit = None,
    workers: Workers = None,
    root: Root = None,
    option: Options = None,
    preview: Preview = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Give an object another colour, lightness kept, and swap the colour word of its phrase.

    Run the same command again to continue where it stopped.
    """
    from skymoe.augment import Settings

    settings = Settings("recolour", seed, variants, name)
    _build(settings, sources, out, split, limit, workers, root, option, preview, fresh, as_json)


@augment.command("check")
def check_folder(
    folder: Annotated[Path, typer.Argument(help="A folder that `skymoe augment` wrote.")],
    as_json: Json = False,
) -> None:
    """Check every edited picture of a folder against its original and its annotation; exit code 1 for faults."""
    from skymoe.augment import recheck

    with progress() as watch:
        found = recheck(folder, watch("checked", None))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        typer.echo(f"{found['checked']:,} edited pictures checked, {found['faulty']:,} with faults")
        for name, faults in found["faults"].items():
            typer.echo("  " + printable(f"{name}: {'; '.join(faults)}"))
    if found["faulty"]:
        raise typer.Exit(1)


def _build(
    settings: Settings,
    names: list[str],
    out: Path,
    split: str,
    limit: int | None,
    workers: int | None,
    root: Path | None,
    option: list[str] | None,
    preview: bool,
    fresh: bool,
    as_json: bool,
) -> None:
    from skymoe.augment import build
    from skymoe.augment.opencv import opencv
    from skymoe.augment.sheets import sheets

    opencv()  # says at once where it is missing
    chosen = [_source(name, root, option) for name in dict.fromkeys(names)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total = limit or sum(source.counts.get(split, 0) for source in chosen) or None
    stream = _samples(chosen, split, limit, settings.seed)
    described = ", ".join([*dict.fromkeys(names), *sorted(option or ())])
    described += f"; split {split}" + (f", a choice of {limit}" if limit else "")
    try:
        with progress() as watch:
            report = build(
                stream, out, settings, source=described, workers=workers or cores, fresh=fresh,
                watch=watch(settings.kind, total),
                quarantined=lambda: sum(len(source.quarantined) for source in chosen),
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo(f"Stopped. The same command continues; what is there is in {out}.", err=True)
        raise typer.Exit(130) from None
    written = [str(path) for path in sheets(out)] if preview else []
    if as_json:
        typer.echo(json.dumps({**report, "out": str(out), "previews": written}, ensure_ascii=False))
        return
    _print(report, out, written)


def _source(name: str, root: Path | None, option: list[str] | None) -> Source:
    from skymoe.data.sources import get_source
    from skymoe.data.sources.options import all_named

    if os.sep in name or Path(name).is_dir():
        if not (Path(name) / "samples.jsonl").is_file():
            raise UserError(f"{name}: there is no samples.jsonl in it; name a data set or such a folder")
        return get_source("samples", name)
    return get_source(name, root, **{key: _value(text) for key, text in all_named(option or ()).items()})


def _value(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _samples(sources: list[Source], split: str, limit: int | None, seed: int) -> Iterator[Sample]:
    """All samples in their order, or a choice of them, by a hash of their ids, in the same order."""
    import hashlib
    import heapq

    def everything() -> Iterator[Sample]:
        for source in sources:
            yield from source.samples(split)

    if limit is None:
        yield from everything()
        return

    def rank(numbered: tuple[int, Sample]) -> bytes:
        return hashlib.sha256(f"{seed}/{numbered[1].id}".encode()).digest()

    for _, sample in sorted(
        heapq.nsmallest(limit, enumerate(everything()), key=rank), key=lambda pair: pair[0]
    ):
        yield sample


def _print(report: dict[str, Any], out: Path, written: list[str]) -> None:
    made, edited, came = report["pictures_made"], report["samples_edited"], report["samples_in"]
    typer.echo(f"{made:,} pictures of {edited:,} samples; {came:,} samples looked at. In {out}")
    if report["acceptance"] is not None:
        typer.echo(f"The checker accepted {report['acceptance']:.1%}.")
    for key, words in (
        ("refused", "not edited"),
        ("rejected", "rejected by the checker"),
        ("shortfall", "fewer variants"),
    ):
        for reason, count in sorted(report[key].items(), key=lambda item: (-item[1], item[0])):
            typer.echo("  " + printable(f"{words}: {count:,} × {reason}"))
    if report.get("quarantined"):
        typer.echo(f"  quarantined by the reader: {report['quarantined']:,}")
    for path in written:
        typer.echo(f"Sheet: {path}")
