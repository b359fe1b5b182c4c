"""Augmenting whole sources: in parallel, resumable, checked, and the same whatever the number of workers.

Samples are worked on in chunks of fixed size. A chunk's result is a file in `parts/`, so a run that was stopped goes
on where it was; random numbers come from seed and sample alone. Each picture is encoded, decoded again and given to
the checker before anything of it is kept; what fails is left out and counted with its reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from skymoe.augment.check import check
from skymoe.augment.cutout import cutout
from skymoe.augment.edited import Outcome, Pixels, RefusedError
from skymoe.augment.folder import (
    PARTS,
    PICTURES,
    PREVIEWS,
    REPORT,
    SAMPLES,
    decode,
    inside_folder,
    line,
    picture_name,
    png,
    read_report,
    read_samples,
    write_json,
    write_whole,
)
from skymoe.augment.recolour import recolour
from skymoe.augment.relocate import relocate
from skymoe.data.corpus.pool import ordered_map
from skymoe.errors import UserError
from skymoe.pictures import open_picture, open_sample
from skymoe.sample import Sample

CHUNK = 8
KINDS = ("cutout", "relocate", "recolour")
KEPT = ("refused", "rejected", "shortfall", "unread", "made", "seen")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the result depends on, besides the samples."""

    kind: str
    seed: int = 0
    variants: int = 4
    name: str | None = None
    fill: str = "zero"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Work for one process."""

    number: int
    samples: tuple[Sample, ...]
    out: Path
    settings: Settings


def edit(sample: Sample, pixels: Pixels, settings: Settings) -> Outcome:
    """The variants of one sample; RefusedError where there are none."""
    if settings.kind == "cutout":
        return cutout(
            sample,
            pixels,
            seed=settings.seed,
            name=settings.name,
            fill=settings.fill,
            variants=settings.variants,
        )
    editor = {"relocate": relocate, "recolour": recolour}[settings.kind]
    return editor(sample, pixels, seed=settings.seed, name=settings.name, variants=settings.variants)


def build(
    samples: Iterable[Sample],
    out: Path,
    settings: Settings,
    *,
    source: str,
    workers: int = 1,
    fresh: bool = False,
    watch: Callable[[int], None] = lambda done: None,
    quarantined: Callable[[], int] = lambda: 0,
) -> dict[str, Any]:
    """Augment ``samples`` into the folder ``out`` and return the report.

    Args:
        samples: in a fixed order; they may be a stream.
        source: what the samples are, in words; with the settings it says whether a begun run is the same.
        fresh: throw away what is there.
        watch: is told how many more samples are done.
        quarantined: asked at the end how many entries the reader could make no sample of.

    Raises:
        UserError: where ``out`` holds something else, an id comes twice, or the disk is full.
    """
    try:
        report = _prepare(out, settings, source, fresh)
        if report.get("finished"):
            return report
        return _build(samples, out, settings, report, workers, watch, quarantined)
    except OSError as error:
        where = error.filename or out
        raise UserError(f"{where}: {error.strerror or error}; mend it and run again to go on") from error


def _build(
    samples: Iterable[Sample],
    out: Path,
    settings: Settings,
    report: dict[str, Any],
    workers: int,
    watch: Callable[[int], None],
    quarantined: Callable[[], int],
) -> dict[str, Any]:
    stream = iter(samples)
    chunks = enumerate(iter(lambda: tuple(islice(stream, CHUNK)), ()))
    done = 0
    for size in ordered_map(_work, (_Chunk(n, chunk, out, settings) for n, chunk in chunks), workers):
        done += 1
        watch(size)
    report |= _gather(out, done) | {"quarantined": quarantined(), "finished": True}
    write_json(out / REPORT, report)
    shutil.rmtree(out / PARTS, ignore_errors=True)
    return report


def _prepare(out: Path, settings: Settings, source: str, fresh: bool) -> dict[str, Any]:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file; give a folder")
    known = read_report(out) if not fresh else None
    wanted = {"source": source, **asdict(settings)}
    if known is not None:
        for key, value in wanted.items():
            if known.get(key) != value:
                raise UserError(
                    f"--out {out}: was begun with {key} {known.get(key)!r}, now it is {value!r}; "
                    "choose another folder or add --fresh"
                )
        return known
    if out.is_dir() and any(out.iterdir()):
        if not fresh or not (out / REPORT).is_file():
            raise UserError(f"--out {out}: holds other files; choose an empty folder")
        for name in (PICTURES, PARTS, PREVIEWS):
            shutil.rmtree(out / name, ignore_errors=True)
        (out / SAMPLES).unlink(missing_ok=True)
    write_json(out / REPORT, wanted)
    return wanted


def _work(work: _Chunk) -> int:
    """One chunk, unless its result is there and made of the same samples; the number of its samples."""
    chunk, out, settings = work.samples, work.out, work.settings
    path = out / PARTS / f"{work.number:07d}.json"
    digest = hashlib.sha256("\n".join(map(line, chunk)).encode()).hexdigest()
    try:
        if json.loads(path.read_text(encoding="utf-8"))["samples"] == digest:
            return len(chunk)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    lines: list[str] = []
    counts: dict[str, Counter[str]] = {key: Counter() for key in KEPT}
    for sample in chunk:
        counts["seen"]["samples"] += 1
        lines += one(sample, out, settings, counts)
    write_json(
        path, {"samples": digest, "lines": lines, **{key: dict(value) for key, value in counts.items()}}
    )
    return len(chunk)


def one(sample: Sample, out: Path, settings: Settings, counts: dict[str, Counter[str]]) -> list[str]:
    """Edit, check and write one sample; the lines of the original and its variants, or none."""
    try:
        pixels = np.asarray(open_sample(sample))
        if pixels.shape != (sample.height, sample.width, 3):
            raise RefusedError(
                "picture has another size", sample, "the picture is not as large as the annotation says"
            )
        outcome = edit(sample, pixels, settings)
    except RefusedError as refusal:
        counts["refused"][refusal.reason] += 1
        return []
    except UserError as error:  # damaged, or gone
        counts["refused"]["picture cannot be read"] += 1
        counts["unread"][str(error)[:300]] += 1
        return []
    counts["shortfall"].update(outcome.missing)
    pair = sample.pair or sample.id
    original = sample.replace(window=None, pair=pair, image=picture_name(sample.id))
    encoded = png(pixels)
    before = decode(encoded)
    lines = []
    for variant in outcome.variants:
        edited = variant.sample.replace(image=picture_name(variant.sample.id))
        content = png(variant.pixels)
        faults = check(original, edited, before, decode(content))
        if faults:
            counts["rejected"][faults[0]] += 1
            continue
        write_whole(out / edited.image, content)
        lines.append(line(edited))
    if not lines:
        counts["refused"]["all variants rejected by the checker"] += 1
        return []
    write_whole(out / original.image, encoded)
    counts["made"]["pictures"] += len(lines)
    counts["made"]["samples"] += 1
    return [line(original), *lines]


def _gather(out: Path, chunks: int) -> dict[str, Any]:
    """All parts in their order as one file, and the sums of their counts."""
    total: dict[str, Counter[str]] = {key: Counter() for key in KEPT}
    seen: set[str] = set()
    part = out / f".{SAMPLES}.{os.getpid()}"
    with part.open("w", encoding="utf-8") as file:
        for number in range(chunks):
            result = json.loads((out / PARTS / f"{number:07d}.json").read_text(encoding="utf-8"))
            for text in result["lines"]:
                name = json.loads(text)["id"]
                if name in seen:
                    part.unlink()
                    raise UserError(f"the id {name!r} comes twice; name each source once")
                seen.add(name)
                file.write(text + "\n")
            for key in KEPT:
                total[key].update(result[key])
    os.replace(part, out / SAMPLES)
    made, rejected = total["made"]["pictures"], sum(total["rejected"].values())
    return {
        "samples_in": total["seen"]["samples"],
        "samples_edited": total["made"]["samples"],
        "pictures_made": made,
        "acceptance": round(made / (made + rejected), 4) if made + rejected else None,
        "refused": dict(sorted(total["refused"].items())),
        "rejected": dict(sorted(total["rejected"].items())),
        "shortfall": dict(sorted(total["shortfall"].items())),
        "unread": sorted(total["unread"]),
    }


def recheck(folder: Path, watch: Callable[[int], None] = lambda done: None) -> dict[str, Any]:
    """The checker over a whole folder again, from its files: how many edited pictures there are, and what is wrong."""
    originals: dict[str, Sample] = {}
    faults: dict[str, list[str]] = {}
    checked = 0
    last: tuple[str, Pixels] | None = None
    for sample in read_samples(folder):
        if not sample.edits:
            originals[sample.pair or sample.id] = sample
            continue
        checked += 1
        watch(1)
        original = originals.get(sample.pair or "")
        if original is None:
            faults[sample.id] = ["pair: there is no original before it"]
            continue
        try:
            if last is None or last[0] != original.id:
                last = (original.id, np.asarray(open_picture(inside_folder(folder, original.image))))
            found = check(
                original, sample, last[1], np.asarray(open_picture(inside_folder(folder, sample.image)))
            )
        except UserError as error:
            found = [f"picture: {error}"]
        if found:
            faults[sample.id] = found
    return {"checked": checked, "faulty": len(faults), "faults": faults}
