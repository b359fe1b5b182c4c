"""Checking a corpus from what stands on disk: schema, boxes, answers against annotation, phrases, pictures.

Nothing is taken from the build but its files. Each item is compared with the record of its picture in
`samples.jsonl`, each picture with its record; what is wrong is a fault with the rule it breaks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from skymoe.data.corpus.asking import MEDIA_TAGS, word
from skymoe.data.corpus.build import Watch
from skymoe.data.corpus.formats import file_digest, read_shard
from skymoe.data.corpus.manifest import SAMPLES, load_manifest
from skymoe.data.corpus.pool import cores, ordered_map
from skymoe.data.corpus.truth import truth_faults
from skymoe.errors import UserError
from skymoe.pictures import open_picture
from skymoe.sample import Expression, Region, Sample

KEYS: dict[str, Any] = {
    "id": str, "messages": list, "images": list, "task": str, "granularity": str, "source": str, "licence": str,
    "split": str, "pair": (str, type(None)), "sample": str, "width": int, "height": int, "answer": dict,
}  # fmt: skip
ANSWER_KEYS = {"text", "label", "number", "boxes", "subject", "kind", "official"}
GRANULARITIES = ("image", "region", "object")
BATCH = 256
MOST_TOLD = 20
"""Faults told of each rule; all are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: the item or sample, the rule that is broken, and how."""

    id: str
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Shard:
    corpus: Path
    file: str
    items: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Samples:
    corpus: Path
    lines: tuple[bytes, ...]


def check(corpus: Path, *, workers: int | None = None, watch: Watch | None = None) -> dict[str, Any]:
    """Check everything but leakage; the report has the number of faults of each rule and the first of them.

    Raises:
        UserError: where there is no finished corpus.
    """
    manifest = load_manifest(corpus)
    workers = cores() if workers is None else workers
    faults: dict[str, list[Fault]] = {}
    counts: dict[str, int] = {}

    def take(found: list[Fault]) -> None:
        for fault in found:
            counts[fault.rule] = counts.get(fault.rule, 0) + 1
            told = faults.setdefault(fault.rule, [])
            if len(told) < MOST_TOLD:
                told.append(fault)

    take(_balance(manifest))
    advance = watch("checking pictures", manifest["samples"]) if watch else lambda _n: None
    pictures = 0
    for many, found in ordered_map(_check_samples, _batches(corpus), workers):
        pictures += many
        take(found)
        advance(many)
    if pictures != manifest["samples"]:
        take([Fault(SAMPLES, "counts", f"{pictures} samples instead of {manifest['samples']}")])
    advance = watch("checking items", manifest["items"]) if watch else lambda _n: None
    shards = (_Shard(corpus, s["file"], s["items"], s["sha256"]) for s in manifest["shards"])
    items, seen = 0, []
    derived: dict[str, int] = {}
    for ids, found, proven in ordered_map(_check_shard, shards, workers):
        items += len(ids)
        seen.append(ids)
        take(found)
        for name, many in proven.items():
            derived[name] = derived.get(name, 0) + many
        advance(len(ids))
    words = np.concatenate(seen) if seen else np.empty(0, np.uint64)
    if twice := len(words) - len(np.unique(words)):
        take([Fault("", "ids", f"{twice} ids stand more than once")])
    return {
        "items": items,
        "samples": pictures,
        "rules": dict(sorted(derived.items())),
        "faults": dict(sorted(counts.items())),
        "first": [
            {"id": f.id, "rule": f.rule, "detail": f.detail} for rule in sorted(faults) for f in faults[rule]
        ],
    }


def schema_faults(item: Any) -> list[str]:
    """What is wrong with the form of an item, whatever it says."""
    if not isinstance(item, dict):
        return ["is no JSON object"]
    wrong = [f"has no {key!r}" for key in KEYS if key not in item]
    wrong += [f"has an unknown key {key!r}" for key in item if key not in KEYS]
    wrong += [
        f"{key!r} is {type(item[key]).__name__}"
        for key, kind in KEYS.items()
        if key in item and (not isinstance(item[key], kind) or isinstance(item[key], bool))
    ]
    if wrong:
        return wrong
    if set(item["answer"]) != ANSWER_KEYS:
        wrong.append(f"'answer' has the keys {sorted(item['answer'])}")
    if item["granularity"] not in GRANULARITIES:
        wrong.append(f"unknown granularity {item['granularity']!r}")
    if item["width"] < 1 or item["height"] < 1:
        wrong.append("the picture has no size")
    for image in item["images"]:
        if not isinstance(image, str) or not inside(image):
            wrong.append(f"the picture {image!r} is not below the corpus")
    return wrong + message_faults(item["messages"], len(item["images"]))


def inside(path: str) -> bool:
    """Whether a path stays in the folder it is relative to."""
    parts = PurePosixPath(path)
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts and "\\" not in path


def message_faults(messages: Any, images: int) -> list[str]:
    """What keeps a trainer from taking the messages: roles, contents, and as many places as pictures."""
    wrong = []
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    if len(messages) < 2 or roles != ["user", "assistant"] * (len(messages) // 2):
        return [f"the roles are {roles}, not user and assistant in turn"]
    places = 0
    for message in messages:
        content = message.get("content")
        if set(message) != {"role", "content"}:
            wrong.append(f"a message has the keys {sorted(message)}")
        if isinstance(content, str):
            found = content.count("<image>")
            texts = [content.replace("<image>", "")]
        elif isinstance(content, list) and all(_part(part) for part in content):
            found = sum(part["type"] == "image" for part in content)
            texts = [part["text"] for part in content if part["type"] == "text"]
            if any(tag in text for text in texts for tag in MEDIA_TAGS):
                wrong.append("a text holds a media tag")
        else:
            return [*wrong, "a content is neither text nor a list of parts"]
        if not any(text.strip() for text in texts):
            wrong.append(f"the {message['role']} says nothing")
        if found and message["role"] != "user":
            wrong.append("the assistant shows a picture")
        places += found
    if places != images:
        wrong.append(f"there are places for {places} pictures and {images} pictures")
    return wrong


def said(item: dict[str, Any], role: str) -> str:
    """All text of a role, without places for pictures."""
    texts = []
    for message in item["messages"]:
        if message["role"] == role:
            content = message["content"]
            if isinstance(content, str):
                texts.append(content.replace("<image>", "").strip())
            else:
                texts += [part["text"] for part in content if part["type"] == "text"]
    return "\n".join(texts)


def _part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    return part == {"type": "image"} or (
        set(part) == {"type", "text"} and part["type"] == "text" and isinstance(part["text"], str)
    )


def _balance(manifest: dict[str, Any]) -> list[Fault]:
    """Counts in = counts out + everything that was left out, at every level of every source."""
    faults = []
    for source in manifest["sources"]:
        for level in ("entries", "samples", "items"):
            counts = source[level]
            gone = sum(many for name, many in counts.items() if name != "in")
            if counts["in"] != gone:
                faults.append(Fault(source["source"], "counts", f"{level}: {counts['in']} in, {gone} told"))
    return faults


def _batches(corpus: Path) -> Iterator[_Samples]:
    try:
        with (corpus / SAMPLES).open("rb") as file:
            lines: list[bytes] = []
            for text in file:
                lines.append(text)
                if len(lines) == BATCH:
                    yield _Samples(corpus, tuple(lines))
                    lines = []
            if lines:
                yield _Samples(corpus, tuple(lines))
    except OSError as error:
        raise UserError(f"{corpus / SAMPLES}: cannot be read; build the corpus again with --fresh") from error


def _check_samples(work: _Samples) -> tuple[int, list[Fault]]:
    faults = []
    for text in work.lines:
        try:
            sample = Sample.from_dict(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            faults.append(Fault(SAMPLES, "schema", f"a line is no sample ({error})"))
            continue
        faults += [Fault(sample.id, rule, detail) for rule, detail in _sample_faults(sample, work.corpus)]
    return len(work.lines), faults


def _sample_faults(sample: Sample, corpus: Path) -> Iterator[tuple[str, str]]:
    if not inside(sample.image):
        yield "schema", f"the picture {sample.image!r} is not below the corpus"
        return
    try:
        picture = open_picture(corpus / sample.image)
    except UserError as error:
        yield "pictures", str(error)
        return
    if picture.size != (sample.width, sample.height):
        yield "pictures", f"{sample.image} has {picture.size} pixels, not {(sample.width, sample.height)}"
    things: tuple[Region | Expression, ...] = (*sample.regions, *sample.expressions)
    for thing in things:
        x1, y1, x2, y2 = thing.box
        if not (
            all(map(math.isfinite, thing.box))
            and 0 <= x1 < x2 <= sample.width
            and 0 <= y1 < y2 <= sample.height
        ):
            yield "boxes", f"{thing.box} is not inside {sample.width}×{sample.height}"
    known = {region.name for region in sample.regions}
    if both := sorted(known & sample.absent):
        yield "truth", f"{both[0]!r} is annotated, and said to be absent"


def _check_shard(work: _Shard) -> tuple[np.ndarray, list[Fault], dict[str, int]]:
    path = work.corpus / work.file
    faults: list[Fault] = []
    proven: dict[str, int] = {}
    ids: list[int] = []
    try:
        if file_digest(path) != work.sha256:
            faults.append(Fault(work.file, "shards", "has been changed since it was built"))
        with (work.corpus / SAMPLES).open("rb") as samples:
            for item in read_shard(path):
                identity = str(item.get("id")) if isinstance(item, dict) else work.file
                ids.append(word(identity))
                if wrong := schema_faults(item):
                    faults += [Fault(identity, "schema", detail) for detail in wrong]
                    continue
                sample = sample_of(work.corpus, samples, item)
                if sample is None:
                    faults.append(Fault(identity, "samples", f"there is no sample {item['sample']!r}"))
                    continue
                asked, answered = said(item, "user"), said(item, "assistant")
                found, rules = truth_faults(item, sample, asked, answered, work.corpus)
                faults += [Fault(identity, rule, detail) for rule, detail in found]
                for rule in rules:
                    proven[rule] = proven.get(rule, 0) + 1
    except (UserError, OSError) as error:
        faults.append(Fault(work.file, "shards", str(error)))
    if len(ids) != work.items:
        faults.append(Fault(work.file, "counts", f"{len(ids)} items instead of {work.items}"))
    return np.array(ids, np.uint64), faults, proven


def sample_of(corpus: Path, file: Any, item: dict[str, Any]) -> Sample | None:
    """The record of an item's picture; `file` is samples.jsonl, opened for bytes."""
    status = (corpus / SAMPLES).stat()
    names, offsets = _index(corpus, status.st_mtime_ns, status.st_size)
    place = int(np.searchsorted(names, np.uint64(_name(item["source"], item["split"], item["sample"]))))
    if place == len(names) or int(names[place]) != _name(item["source"], item["split"], item["sample"]):
        return None
    file.seek(int(offsets[place]))
    return Sample.from_dict(json.loads(file.readline()))


def _name(source: str, split: str, identity: str) -> int:
    return word(f"{source}\0{split}\0{identity}")


@lru_cache(maxsize=1)
def _index(corpus: Path, _changed: int, _size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in samples.jsonl each sample stands: 16 bytes a sample, sorted by the hash of its name."""
    names, offsets, offset = [], [], 0
    with (corpus / SAMPLES).open("rb") as file:
        for text in file:
            record = json.loads(text)
            names.append(_name(record["source"], record["split"], record["id"]))
            offsets.append(offset)
            offset += len(text)
    found = np.array(names, np.uint64)
    ranked = np.argsort(found)
    return found[ranked], np.array(offsets, np.int64)[ranked]
