"""Whether pictures of a corpus are those of a benchmark's test split, whatever their size or file.

Each picture is hashed whole and at its centre, and compared whole with whole, whole with centre and centre with
whole (RSICD's pictures are the middle of AID's). What is near is looked at again at 32 × 32 pixels.

Two grades: the *same picture* (at most 6 of 63 bits differ, likeness 0.95), and the *same place*, seen at
another time or shifted by a few pixels (at most 10 bits, likeness 0.85). Measured on RSICD and AID: pictures
that are known to be the same differ in 0–6 bits, of the unrelated the nearest in 8 (docs/data.md).

Not found: turned and mirrored pictures, small parts of large scenes, views that overlap by less than most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skymoe.data.corpus.build import Watch
from skymoe.data.corpus.manifest import SAMPLES, load_manifest
from skymoe.data.corpus.pool import cores, ordered_map
from skymoe.data.fingerprints import SIDE, VIEWS, bit_count, likeness, perceptual_hash, reduced
from skymoe.data.sources import SOURCES, get_source
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Sample

GRADES = (("same picture", 6, 0.95), ("same place", 10, 0.85))
"""Name, most bits that differ, least likeness."""
BATCH = 128
_COMPARED = ((0, 0), (0, 1), (1, 0))  # views of the corpus's picture and of the benchmark's


@dataclass(frozen=True, slots=True)
class Seen:
    """Hashes [pictures, views] and reduced pictures [pictures, views, SIDE, SIDE] of some samples."""

    names: tuple[tuple[str, str, str], ...]  # source, split, id
    hashes: NDArray[np.uint64]
    grey: NDArray[np.uint8]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Leak:
    """A picture of the corpus and the test picture that it is."""

    source: str
    split: str
    sample: str
    grade: str
    benchmark: str
    test: str
    bits: int
    likeness: float

    def record(self) -> dict[str, Any]:
        """A line of the exclusion list."""
        near = f"{self.bits} bits, likeness {self.likeness:.3f}"
        reason = f"{self.grade} as {self.test} of {self.benchmark} ({near})"
        return {"source": self.source, "split": self.split, "sample": self.sample, "reason": reason}


def benchmark_splits(
    names: Sequence[str] = (), root: Path | None = None
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """(source, split) of the test pictures that are there, of all known data sets or the named ones; why not others.

    A data set that keeps its test annotation secret is judged on `val`, which is then taken.
    """
    found, lacking = [], {}
    for name in names or SOURCES:
        try:
            source = get_source(name, root)
        except UserError as error:
            if names:
                raise
            lacking[name] = str(error)
            continue
        if not source.state().found:
            if names:
                raise UserError(f"{name}: {source.state().remedy}")
            lacking[name] = source.state().remedy
            continue
        tests = [split for split in source.splits if split.startswith("test")] or ["val"]
        found += [(name, split) for split in tests if split in source.splits]
    return found, lacking


def find_leaks(
    corpus: Path,
    against: Sequence[str] = (),
    *,
    root: Path | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Compare the corpus's pictures with all test pictures that are there; the report, leaks in full.

    The test pictures' hashes and reduced pictures stay in memory, 2 kB each; those of the corpus do not.
    """
    manifest = load_manifest(corpus)
    workers = cores() if workers is None else workers
    benchmarks, lacking = benchmark_splits(against, root)
    if not benchmarks:
        raise UserError("no data set with test pictures is there; see `skymoe data list`")
    tests, told = [], []
    for name, split in benchmarks:
        source = get_source(name, root)
        advance = watch(f"hashing {name} {split}", source.counts.get(split)) if watch else lambda _n: None
        seen = []
        for part in ordered_map(see, _batched(source.samples(split)), workers):
            seen.append(part)
            advance(len(part.names))
        whole = _joined(seen)
        tests.append(whole)
        told.append({"benchmark": name, "split": split, "pictures": len(whole.names), "unread": whole.unread})
    test = _joined(tests)
    advance = watch("comparing pictures", manifest["samples"]) if watch else lambda _n: None
    leaks: list[Leak] = []
    unread = 0
    for part in ordered_map(see, _batched(_corpus_samples(corpus)), workers):
        leaks += compare(part, test)
        unread += part.unread
        advance(len(part.names) + part.unread)
    for each in told:
        own = [leak for leak in leaks if leak.benchmark == f"{each['benchmark']} {each['split']}"]
        for grade, _, _ in GRADES:
            each[grade] = len({leak.test for leak in own if leak.grade == grade})
    return {
        "pictures": manifest["samples"],
        "unread": unread,
        "benchmarks": told,
        "absent": lacking,
        "leaking": {
            grade: len({(k.source, k.sample) for k in leaks if k.grade == grade}) for grade, _, _ in GRADES
        },
        "leaks": leaks,
    }


def write_exclusions(leaks: Sequence[Leak], path: Path) -> int:
    """The list that a recipe's `exclude` takes: one line for each picture of the corpus, its worst leak."""
    worst: dict[tuple[str, str], Leak] = {}
    for leak in leaks:
        held = worst.get((leak.source, leak.sample))
        if held is None or leak.likeness > held.likeness:
            worst[leak.source, leak.sample] = leak
    part = path.with_name(f".{path.name}.part")
    lines = [json.dumps(worst[key].record(), ensure_ascii=False) + "\n" for key in sorted(worst)]
    try:
        part.write_text("".join(lines), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    return len(worst)


def compare(corpus: Seen, test: Seen) -> list[Leak]:
    """Every pair of the same picture or place, each once with its best likeness."""
    most = max(bits for _, bits, _ in GRADES)
    best: dict[tuple[int, int], tuple[float, int, str]] = {}
    for view, test_view in _COMPARED:
        differ = bit_count(corpus.hashes[:, view, None] ^ test.hashes[None, :, test_view])
        for a, b in zip(*np.nonzero(differ <= most), strict=True):
            bits = int(differ[a, b])
            like = likeness(
                corpus.grey[a, view].astype(np.float32), test.grey[b, test_view].astype(np.float32)
            )
            grade = next((name for name, few, least in GRADES if bits <= few and like >= least), None)
            held = best.get((a, b))
            if grade and (held is None or like > held[0]):
                best[int(a), int(b)] = (like, bits, grade)
    leaks = []
    for (a, b), (like, bits, grade) in sorted(best.items()):
        source, split, sample = corpus.names[a]
        test_source, test_split, test_sample = test.names[b]
        leaks.append(
            Leak(
                source, split, sample, grade, f"{test_source} {test_split}", test_sample, bits, round(like, 4)
            )
        )
    return leaks


def see(samples: Sequence[Sample]) -> Seen:
    """Hash the pictures; those that can't be read are counted."""
    names, hashes, grey = [], [], []
    for sample in samples:
        try:
            picture = open_sample(sample)
        except UserError:
            continue
        small = [reduced(picture, view) for view in VIEWS]
        names.append((sample.source, sample.split, sample.id))
        hashes.append([perceptual_hash(each) for each in small])
        grey.append(np.stack(small).round().astype(np.uint8))
    return Seen(
        tuple(names),
        np.array(hashes, np.uint64).reshape(-1, len(VIEWS)),
        np.array(grey, np.uint8).reshape(-1, len(VIEWS), SIDE, SIDE),
        len(samples) - len(names),
    )


def _joined(parts: Sequence[Seen]) -> Seen:
    if not parts:
        return see(())
    return Seen(
        tuple(name for part in parts for name in part.names),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.grey for part in parts]),
        sum(part.unread for part in parts),
    )


def _corpus_samples(corpus: Path) -> Iterator[Sample]:
    with (corpus / SAMPLES).open(encoding="utf-8") as file:
        for text in file:
            sample = Sample.from_dict(json.loads(text))
            yield sample.replace(image=str(corpus / sample.image))


def _batched(samples: Iterator[Sample]) -> Iterator[tuple[Sample, ...]]:
    batch: list[Sample] = []
    for sample in samples:
        # Only what is needed to open the picture goes to the workers.
        batch.append(
            sample.replace(captions=(), questions=(), regions=(), expressions=(), labels=(), edits=())
        )
        if len(batch) == BATCH:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)
