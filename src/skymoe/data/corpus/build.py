"""Building a corpus by a recipe: read and ask, choose, write. See docs/data.md for what comes out.

What has been done stands in `.work` below the corpus, whole pieces only: a killed build goes on where it was,
and the result does not depend on how often that happened or on the number of workers.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.data.corpus import choosing
from skymoe.data.corpus.asking import Wording
from skymoe.data.corpus.choosing import Staged
from skymoe.data.corpus.formats import WORK, require, unfinished
from skymoe.data.corpus.manifest import (
    MANIFEST,
    QUARANTINE,
    SAMPLES,
    balance,
    dataset_info,
    load_manifest,
    manifest,
)
from skymoe.data.corpus.pool import cores, ordered_map
from skymoe.data.corpus.recipe import CorpusRecipe, CorpusSource
from skymoe.data.corpus.staging import CHUNK, Chunk, Plan, line, stage, staged
from skymoe.data.corpus.writing import ChunkFates, Shard, ShardRows, join, settle, write
from skymoe.data.sources import Source, get_source
from skymoe.errors import UserError
from skymoe.sample import Sample

Advance = Callable[[int], None]
Watch = Callable[[str, int | None], Advance]
"""Called with what begins and how much of it there is (None: unknown); what it returns is told of progress."""


@dataclass(frozen=True)
class _Part:
    """One source of the recipe that is there."""

    number: int
    given: CorpusSource
    source: Source
    folder: Path
    excluded: Mapping[str, Mapping[str, str]]


def build(
    recipe: CorpusRecipe, *, workers: int | None = None, fresh: bool = False, watch: Watch | None = None
) -> dict[str, Any]:
    """Build the corpus, or what is missing of it; returns its manifest.

    Raises:
        UserError: for a source that is absent or unreadable, an output folder that holds something else, a full disk.
    """
    require(recipe.format)
    watch = watch or _unwatched
    workers = cores() if workers is None else workers
    corpus = recipe.output
    if fresh:
        clear(corpus)
    try:
        return _finished(corpus, recipe) or _build(recipe, workers, watch)
    except OSError as error:
        where = error.filename or corpus
        raise UserError(f"{where}: {error.strerror or error}; mend it and run again to go on") from error


def _build(recipe: CorpusRecipe, workers: int, watch: Watch) -> dict[str, Any]:
    corpus = recipe.output
    parts, skipped = _parts(recipe)
    _begin(corpus, recipe, [part.number for part in parts])
    for part in parts:
        _stage(part, recipe, workers, watch)
    groups = [_chunks(part) for part in parts]
    all_staged = choosing.load(groups)
    givens = [part.given for part in parts]
    fate = choosing.fates(
        all_staged, recipe.duplicates, [g.cap for g in givens], [g.weight for g in givens], recipe.size
    )
    asked = _settle(parts, all_staged, fate, recipe, workers, watch)
    shards = _write(all_staged, fate, recipe, workers, watch)
    told = [
        balance(_about(part), _note(part), _chunks(part), fate[all_staged.group == number])
        for number, part in enumerate(parts)
    ]
    record = manifest(recipe, told, skipped, shards, asked)
    if recipe.messages == "tagged":
        _json(corpus / "dataset_info.json", dataset_info(record))
    _json(corpus / MANIFEST, record)
    shutil.rmtree(corpus / WORK, ignore_errors=True)
    return record


def clear(corpus: Path) -> None:
    """Throw away what a build left there; UserError where the folder is none of a corpus."""
    if not corpus.exists():
        return
    if not ((corpus / MANIFEST).is_file() or (corpus / WORK).is_dir()):
        raise UserError(f"{corpus}: is not a corpus, so nothing is thrown away; choose another output")
    for found in sorted(corpus.iterdir()):
        known = (MANIFEST, SAMPLES, QUARANTINE, WORK, "pictures", "dataset_info.json")
        if found.name in known or found.name.startswith("items-"):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def _finished(corpus: Path, recipe: CorpusRecipe) -> dict[str, Any] | None:
    if not (corpus / MANIFEST).is_file():
        return None
    record = load_manifest(corpus)
    if record.get("digest") != recipe.digest:
        raise UserError(
            f"{corpus}: holds a corpus of another recipe; choose another output or throw it away: --fresh"
        )
    shutil.rmtree(corpus / WORK, ignore_errors=True)  # killed after the manifest was written
    return record


def _begin(corpus: Path, recipe: CorpusRecipe, found: list[int]) -> None:
    begun = {"digest": recipe.digest, "found": found}
    note = corpus / WORK / "begun.json"
    try:
        if note.is_file():
            if json.loads(note.read_text(encoding="utf-8")) != begun:
                what = "another recipe or other sources"
                raise UserError(
                    f"{corpus}: was begun with {what}; begin anew with --fresh, or choose another output"
                )
            return
        if corpus.is_dir() and any(entry.name != WORK for entry in corpus.iterdir()):
            raise UserError(f"{corpus}: is not empty and holds no corpus; choose another output")
        note.parent.mkdir(parents=True, exist_ok=True)
        part = note.with_suffix(".part")
        part.write_text(json.dumps(begun), encoding="utf-8")
        os.replace(part, note)
    except OSError as error:
        raise UserError(f"{corpus}: cannot be written ({error.strerror or error})") from error


def _parts(recipe: CorpusRecipe) -> tuple[list[_Part], list[dict[str, str]]]:
    """The sources that are there, and those that are not with what to do; UserError unless the recipe skips them."""
    excluded = read_exclusions(recipe.exclude)
    parts, skipped = [], []
    for number, given in enumerate(recipe.sources):
        source = get_source(given.name, given.root, **given.options)
        state = source.state()
        if not state.found:
            if recipe.absent == "error":
                raise UserError(
                    f"{given.called}: {state.remedy}; or leave out what is not there: absent: skip"
                )
            skipped.append(
                {"source": given.called, "split": given.split, "reason": f"{state.verdict}: {state.remedy}"}
            )
            continue
        folder = recipe.output / WORK / f"{number:03d}"
        parts.append(_Part(number, given, source, folder, excluded))
    if not parts:
        raise UserError("none of the recipe's sources is there; see `skymoe data list`")
    return parts, skipped


def read_exclusions(paths: list[Path]) -> dict[str, dict[str, str]]:
    """Reasons by source and sample id, from the lists that `skymoe data check` writes."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        try:
            for text in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(text)
                found.setdefault(record["source"], {})[record["sample"]] = (
                    record.get("reason") or f"in {path.name}"
                )
        except OSError as error:
            raise UserError(f"exclude: {path} cannot be read ({error.strerror or error})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"exclude: {path} is no list of {{source, sample, reason}}, one JSON a line"
            ) from error
    return found


def _stage(part: _Part, recipe: CorpusRecipe, workers: int, watch: Watch) -> None:
    note = part.folder / "done.json"
    if note.is_file():
        return
    given, source = part.given, part.source
    advance = watch(f"reading {given.called} {given.split}", source.counts.get(given.split))
    plan = Plan(
        called=given.called, split=given.split, tasks={**recipe.tasks, **given.tasks},
        wording=Wording(recipe.canonical, recipe.messages), seed=recipe.seed,
        decode=recipe.pictures.check == "decode", colours=recipe.colours, root=str(source.root),
    )  # fmt: skip
    read = chunks = 0

    def missing() -> Iterator[Chunk]:
        nonlocal read, chunks
        for samples in _batched(source.samples(given.split), CHUNK):
            path = part.folder / f"{chunks:06d}"
            read, chunks = read + len(samples), chunks + 1
            if given.label:
                samples = tuple(sample.replace(source=given.label) for sample in samples)
            why = {
                n: reason
                for n, s in enumerate(samples)
                if (reason := part.excluded.get(s.source, {}).get(s.id))
            }
            chunk = Chunk(plan, path, samples, why)
            if path.with_suffix(".npz").exists() and staged(chunk):
                advance(len(samples))
            else:
                yield chunk

    for made in ordered_map(stage, missing(), workers):
        advance(made)
    part.folder.mkdir(parents=True, exist_ok=True)
    entries = [{"id": one.entry, "reason": one.reason} for one in source.quarantined]
    record = {"chunks": chunks, "samples": read, "entries": entries}
    temporary = note.with_suffix(".part")
    temporary.write_text(json.dumps(record), encoding="utf-8")
    os.replace(temporary, note)


def _batched(samples: Iterator[Sample], size: int) -> Iterator[tuple[Sample, ...]]:
    while batch := tuple(itertools.islice(samples, size)):
        yield batch


def _about(part: _Part) -> dict[str, Any]:
    given = part.given
    return {
        "source": given.called, "reader": given.name, "split": given.split, "licence": part.source.licence,
    }  # fmt: skip


def _note(part: _Part) -> dict[str, Any]:
    return json.loads((part.folder / "done.json").read_text(encoding="utf-8"))


def _chunks(part: _Part) -> list[Path]:
    return [part.folder / f"{number:06d}" for number in range(_note(part)["chunks"])]


def _settle(
    parts: list[_Part],
    all_staged: Staged,
    fate: NDArray[np.uint8],
    recipe: CorpusRecipe,
    workers: int,
    watch: Watch,
) -> int:
    """Store the pictures and write samples.jsonl and quarantine.jsonl; the number of samples kept."""
    advance = watch("storing pictures", len(all_staged.chunks))
    called = [part.given.called for part in parts for _ in _chunks(part)]
    bounds = np.searchsorted(all_staged.chunk_of, np.arange(len(all_staged.chunks) + 1))
    link = recipe.pictures.store == "link"
    work = (
        ChunkFates(path, recipe.output, link, name, fate[bounds[n] : bounds[n + 1]])
        for n, (path, name) in enumerate(zip(all_staged.chunks, called, strict=True))
    )
    kept = 0
    for used in ordered_map(settle, work, workers):
        kept += used
        advance(1)
    join((path.with_suffix(".used") for path in all_staged.chunks), recipe.output / SAMPLES)
    gone: list[Path] = []
    for part in parts:
        entries = part.folder / "entries.gone"
        where = {"source": part.given.called, "level": "entry"}
        lost = [
            {**where, "id": e["id"], "why": "quarantined", "reason": e["reason"]}
            for e in _note(part)["entries"]
        ]
        entries.write_bytes(b"".join(map(line, lost)))
        gone += [entries, *(path.with_suffix(".gone") for path in _chunks(part))]
    join(gone, recipe.output / QUARANTINE)
    return kept


def _write(
    all_staged: Staged, fate: NDArray[np.uint8], recipe: CorpusRecipe, workers: int, watch: Watch
) -> list[Shard]:
    chosen = choosing.order(all_staged, fate)
    if not len(chosen):
        raise UserError("nothing is left for the corpus; see .work and loosen tasks, cap, size or exclude")
    starts = range(0, len(chosen), recipe.shard)
    advance = watch("writing shards", len(starts))

    def work() -> Iterator[ShardRows]:
        for number, start in enumerate(starts):
            rows = chosen[start : start + recipe.shard]
            numbers, chunk_of = np.unique(all_staged.chunk_of[rows], return_inverse=True)
            paths = tuple(all_staged.chunks[n] for n in numbers)
            yield ShardRows(
                recipe.output, number, recipe.format, recipe.messages, paths,
                chunk_of.astype(np.int32).reshape(-1), all_staged.row[rows],
            )  # fmt: skip

    shards = []
    for shard in ordered_map(write, work(), workers):
        shards.append(shard)
        advance(1)
    return shards


def _json(path: Path, record: dict[str, Any]) -> None:
    part = unfinished(path.parent, path)
    part.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def _unwatched(_name: str, _total: int | None) -> Advance:
    return lambda _more: None
