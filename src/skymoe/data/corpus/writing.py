"""Third pass of a build: the chosen pictures, the shards, the samples and the quarantine, each written whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skymoe.data.corpus.choosing import REASONS, Fate
from skymoe.data.corpus.formats import file_digest, shard_name, unfinished, write_shard
from skymoe.data.corpus.pictures import Stored, store
from skymoe.data.corpus.staging import line
from skymoe.sample import Sample


@dataclass(frozen=True, slots=True)
class ChunkFates:
    """Work: the pictures of a chunk's kept items, and records of what becomes of the others."""

    path: Path
    corpus: Path
    link: bool
    called: str
    fate: NDArray[np.uint8]  # [items of the chunk]


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Work: a shard, made of rows (first byte, end) of chunks."""

    corpus: Path
    number: int
    format: str
    messages: str
    chunks: tuple[Path, ...]
    chunk_of: NDArray[np.int32]  # [rows], places in `chunks`
    row: NDArray[np.int32]  # [rows]


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard that is there."""

    file: str
    items: int
    sha256: str
    tasks: dict[str, int]
    granularities: dict[str, int]
    sources: dict[str, int]


def settle(work: ChunkFates) -> int:
    """Store the pictures of one chunk, write its part of `samples.jsonl` and `quarantine.jsonl`; the samples kept."""
    with np.load(work.path.with_suffix(".npz")) as arrays:
        owner, end = arrays["owner"], arrays["end"]
    used = set(owner[work.fate == Fate.KEPT].tolist())
    lines = []
    with work.path.with_suffix(".samples").open("rb") as file:
        for number, text in enumerate(file):
            if number not in used:
                continue
            record = json.loads(text)
            stored = Stored(record["stored"], record["original"])
            store(Sample.from_dict(record["sample"]), stored, work.corpus, work.link)
            lines.append(line({**record["sample"], "image": stored.name, "window": None}))
    _write(work.path.with_suffix(".used"), lines)
    rejects = []
    with work.path.with_suffix(".rejects").open("rb") as file:
        rejects = [line({"source": work.called, **json.loads(text)}) for text in file]
    gone = np.flatnonzero(work.fate != Fate.KEPT)
    if len(gone):
        with work.path.with_suffix(".items").open("rb") as file:
            for row in gone:
                file.seek(int(end[row - 1]) if row else 0)
                why, reason = REASONS[Fate(work.fate[row])]
                identity = json.loads(file.readline())["id"]
                rejects.append(
                    line(
                        {"source": work.called, "level": "item", "id": identity, "why": why, "reason": reason}
                    )
                )
    _write(work.path.with_suffix(".gone"), rejects)
    return len(used)


def write(work: ShardRows) -> Shard:
    """Write one shard, unless it is there."""
    path = work.corpus / shard_name(work.number, work.format)
    lines: list[bytes] = [b""] * len(work.row)
    for chunk in np.unique(work.chunk_of):
        places = np.flatnonzero(work.chunk_of == chunk)
        with np.load(work.chunks[chunk].with_suffix(".npz")) as arrays:
            end = arrays["end"]
        with work.chunks[chunk].with_suffix(".items").open("rb") as file:
            for place in places[np.argsort(work.row[places], kind="stable")]:
                row = int(work.row[place])
                start = int(end[row - 1]) if row else 0
                file.seek(start)
                lines[place] = file.read(int(end[row]) - start)
    if not path.exists():
        write_shard(path, lines, work.messages)
    counted: dict[str, dict[str, int]] = {"task": {}, "granularity": {}, "source": {}}
    for text in lines:
        record = json.loads(text)
        for key, counts in counted.items():
            counts[record[key]] = counts.get(record[key], 0) + 1
    return Shard(
        path.name, len(lines), file_digest(path), counted["task"], counted["granularity"], counted["source"]
    )


def join(parts: Iterable[Path], target: Path) -> None:
    """One file of many, in order."""
    part = unfinished(target.parent, target)
    with part.open("wb") as whole:
        for each in parts:
            with each.open("rb") as file:
                shutil.copyfileobj(file, whole, 1 << 20)
    os.replace(part, target)


def _write(path: Path, lines: list[bytes]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(b"".join(lines))
    os.replace(part, path)
