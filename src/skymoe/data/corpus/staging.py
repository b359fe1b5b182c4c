"""First pass of a build: samples in chunks become items, each chunk in files of its own.

A chunk is made by one process from nothing but the samples and the plan, and its last file (`.npz`) is renamed
into place when the others are whole. So it does not matter how many processes there are, and a killed build
goes on with the first chunk that lacks it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from skymoe.data.colours import colour_phrases
from skymoe.data.corpus.asking import Item, Wording, ask, word
from skymoe.data.corpus.pictures import Look, look, look_at_name, place
from skymoe.errors import UserError
from skymoe.sample import Sample

CHUNK = 256
"""Samples a chunk."""
CLIPPED = 2.0
"""A box may reach so many pixels out of its picture (annotation tools round); it is clipped and counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a source's samples are asked, and how; the same for all its chunks."""

    called: str
    split: str
    tasks: Mapping[str, int]
    wording: Wording
    seed: int
    decode: bool
    colours: bool
    root: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of work: `excluded` gives the reason for places among `samples` that are left out."""

    plan: Plan
    path: Path
    samples: tuple[Sample, ...]
    excluded: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one sample."""

    sample: Sample | None = None
    items: tuple[Item, ...] = ()
    rejects: tuple[dict[str, Any], ...] = ()
    look: Look | None = None
    picture: tuple[str, bool] | None = None
    clipped: int = 0


def staged(chunk: Chunk) -> bool:
    """Whether the chunk is there, whole, and made of the same samples: between two runs files may have changed."""
    try:
        with np.load(chunk.path.with_suffix(".npz")) as arrays:
            return bool(arrays["made_of"] == made_of(chunk))
    except (OSError, ValueError, KeyError):
        return False


def made_of(chunk: Chunk) -> np.uint64:
    """All samples of a chunk, and what is left out of it, as one number."""
    told = [json.dumps(sample.to_dict(), separators=(",", ":")) for sample in chunk.samples]
    return np.uint64(word("\n".join([*told, json.dumps(sorted(chunk.excluded.items()))])))


def stage(chunk: Chunk) -> int:
    """Make one chunk; returns how many samples it has."""
    samples = chunk.samples
    made: list[Made] = [Made()] * len(samples)
    # Tiles of one scene after each other: it is then decoded once.
    for place_ in sorted(range(len(samples)), key=lambda n: (samples[n].image, n)):
        sample = samples[place_]
        if reason := chunk.excluded.get(place_):
            made[place_] = Made(rejects=(_reject("sample", sample.id, "excluded", reason),))
        else:
            made[place_] = make(sample, chunk.plan)
    _write(chunk, made)
    return len(samples)


def make(sample: Sample, plan: Plan) -> Made:
    """The items of one sample, or the reasons why there are none."""
    try:
        sample, clipped = sound(sample)
        stored = place(sample, plan.called)
        picture, seen = look(sample) if plan.decode else (None, look_at_name(sample))
    except UserError as error:
        reason = " ".join(str(error).split()).replace(plan.root + os.sep, "")
        return Made(rejects=(_reject("sample", sample.id, "quarantined", reason),))
    rng = Random(f"{plan.seed}/{plan.called}/{plan.split}/{sample.id}")
    measured = colour_phrases(sample, picture) if plan.colours and picture is not None else ()
    items, refused = ask(sample, plan.tasks, rng, plan.wording, stored.name, measured)
    rejects = [_reject("item", one.id, "quarantined", one.reason) for one in refused]
    if not items:
        rejects.append(
            _reject("sample", sample.id, "unasked", "nothing known of it answers a question of the recipe")
        )
    return Made(sample, tuple(items), tuple(rejects), seen, (stored.name, stored.original), clipped)


def sound(sample: Sample) -> tuple[Sample, int]:
    """The sample with boxes clipped to its picture, and how many were; UserError for boxes that can't be right."""
    clipped = 0
    regions = []
    for region in sample.regions:
        box = _inside(region.box, sample, region.name)
        clipped += box != region.box
        regions.append(region if box == region.box else replace(region, box=box))
    expressions = []
    for expression in sample.expressions:
        box = _inside(expression.box, sample, expression.phrase)
        clipped += box != expression.box
        expressions.append(expression if box == expression.box else replace(expression, box=box))
    if not clipped:
        return sample, 0
    return sample.replace(regions=tuple(regions), expressions=tuple(expressions)), clipped


def _inside(
    box: tuple[float, float, float, float], sample: Sample, what: str
) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    told = "(" + ", ".join(f"{edge:g}" for edge in box) + f") of {what[:60]!r}"
    if not all(map(math.isfinite, box)) or x1 >= x2 or y1 >= y2:
        raise UserError(f"the box {told} has no area")
    out = max(-x1, -y1, x2 - sample.width, y2 - sample.height)
    if out <= 0:
        return box
    if out > CLIPPED or x1 >= sample.width or y1 >= sample.height or x2 <= 0 or y2 <= 0:
        raise UserError(f"the box {told} reaches out of the {sample.width}×{sample.height} picture")
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(sample.width)), min(y2, float(sample.height))


def _reject(level: str, identity: str, kind: str, reason: str) -> dict[str, Any]:
    return {"level": level, "id": identity, "why": kind, "reason": reason}


def _write(chunk: Chunk, made: list[Made]) -> None:
    path, plan = chunk.path, chunk.plan
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = [(sample, one) for sample, one in zip(chunk.samples, made, strict=True) if one.items]
    lines = [line(item.record) for _, one in asked for item in one.items]
    ids = [item.record["id"] for _, one in asked for item in one.items]
    looks = [one.look for _, one in asked if one.look is not None]
    assert len(looks) == len(asked)
    _replace(path.with_suffix(".items"), b"".join(lines))
    _replace(path.with_suffix(".samples"), b"".join(line(_kept(one)) for _, one in asked))
    _replace(path.with_suffix(".rejects"), b"".join(line(reject) for one in made for reject in one.rejects))
    why = [(reject["level"], reject["why"]) for one in made for reject in one.rejects]
    counts = {
        "samples": len(made),
        "excluded": why.count(("sample", "excluded")),
        "quarantined": why.count(("sample", "quarantined")),
        "unasked": why.count(("sample", "unasked")),
        "refused": why.count(("item", "quarantined")),
        "clipped": sum(one.clipped for one in made),
    }
    arrays = {
        "made_of": made_of(chunk),
        "end": np.cumsum([len(text) for text in lines], dtype=np.int64),
        "key": np.array([item.key for _, one in asked for item in one.items], np.uint64),
        "priority": np.array([word(f"{plan.seed}/{plan.called}/{name}") for name in ids], np.uint64),
        "owner": np.array([n for n, (_, one) in enumerate(asked) for _ in one.items], np.int32),
        "sample": np.array([name_word(sample) for sample, _ in asked], np.uint64),
        "identity": np.array([seen.identity for seen in looks], np.uint64),
        "hash": np.array([seen.hash or 0 for seen in looks], np.uint64),
        "tells": np.array([seen.hash is not None for seen in looks], bool),
        "thumb": np.array([seen.thumb for seen in looks], np.uint8).reshape(len(looks), -1),
        "counts": np.array([counts[name] for name in COUNTS], np.int64),
    }
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(part, path.with_suffix(".npz"))


COUNTS = ("samples", "excluded", "quarantined", "unasked", "refused", "clipped")


def _kept(made: Made) -> dict[str, Any]:
    assert made.sample is not None
    assert made.picture is not None
    return {"sample": made.sample.to_dict(), "stored": made.picture[0], "original": made.picture[1]}


def name_word(sample: Sample) -> int:
    """What tells a sample from all others of a corpus, as a number."""
    return word(f"{sample.source}\0{sample.split}\0{sample.id}")


def line(record: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)
