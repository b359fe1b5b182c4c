"""What a corpus says of itself: where every entry, sample and item went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skymoe
from skymoe.data.corpus.choosing import Fate
from skymoe.data.corpus.recipe import FORMAT, CorpusRecipe
from skymoe.data.corpus.staging import COUNTS
from skymoe.data.corpus.writing import Shard
from skymoe.errors import UserError

MANIFEST, SAMPLES, QUARANTINE = "manifest.json", "samples.jsonl", "quarantine.jsonl"


def load_manifest(corpus: Path) -> dict[str, Any]:
    """What a finished build says of itself; UserError where there is none."""
    path = corpus / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{corpus}: there is no finished corpus; build it with `skymoe data build`"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; build the corpus again with --fresh") from error


def balance(
    about: Mapping[str, Any],
    note: Mapping[str, Any],
    chunks: Iterable[Path],
    fate: NDArray[np.uint8],
) -> dict[str, Any]:
    """What became of one source's entries, samples and items; what comes in is what goes out and what is told."""
    counts = np.zeros(len(COUNTS), np.int64)
    for path in chunks:
        with np.load(path.with_suffix(".npz")) as arrays:
            counts += arrays["counts"]
    n = dict(zip(COUNTS, counts.tolist(), strict=True))
    of = {mark: int((fate == mark).sum()) for mark in Fate}
    lost = n["excluded"] + n["quarantined"] + n["unasked"]
    assert n["samples"] == note["samples"], (about, n, note["samples"])
    entries = {
        "in": note["samples"] + len(note["entries"]),
        "quarantined": len(note["entries"]),
        "out": note["samples"],
    }
    samples = {
        "in": n["samples"],
        "excluded": n["excluded"],
        "quarantined": n["quarantined"],
        "unasked": n["unasked"],
        "out": n["samples"] - lost,
    }
    items = {
        "in": len(fate) + n["refused"],
        "quarantined": n["refused"] + of[Fate.TAKEN],
        "duplicate": of[Fate.DUPLICATE],
        "capped": of[Fate.CAPPED] + of[Fate.SHARED_OUT],
        "out": of[Fate.KEPT],
    }
    for counted in (entries, samples, items):
        assert 2 * counted["in"] == sum(counted.values()), (about, counted)
    return {**about, "entries": entries, "samples": samples, "items": items, "boxes_clipped": n["clipped"]}


def manifest(
    recipe: CorpusRecipe,
    sources: list[dict[str, Any]],
    skipped: list[dict[str, str]],
    shards: list[Shard],
    samples: int,
) -> dict[str, Any]:
    """The record of the whole corpus; nothing in it depends on when, where or by how many processes it was built."""
    totals = {level: _sum(source[level] for source in sources) for level in ("entries", "samples", "items")}
    assert totals["items"]["out"] == sum(shard.items for shard in shards)
    return {
        "corpus": FORMAT,
        "name": recipe.name,
        "digest": recipe.digest,
        "skymoe": skymoe.__version__,
        "recipe": recipe.model_dump(mode="json", by_alias=True, exclude={"output"}),
        "items": totals["items"]["out"],
        "samples": samples,
        "totals": totals,
        "tasks": dict(sorted(_sum(shard.tasks for shard in shards).items())),
        "granularities": dict(sorted(_sum(shard.granularities for shard in shards).items())),
        "sources": sources,
        "skipped": skipped,
        "shards": [{"file": shard.file, "items": shard.items, "sha256": shard.sha256} for shard in shards],
    }


def dataset_info(record: Mapping[str, Any]) -> dict[str, Any]:
    """The shards as LLaMA-Factory registers data sets, one name each."""
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    columns = {"messages": "messages", "images": "images"}
    about = {"formatting": "sharegpt", "columns": columns, "tags": tags}
    named = enumerate(record["shards"])
    return {f"{record['name']}-{n:05d}": {"file_name": shard["file"], **about} for n, shard in named}


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for key, many in each.items():
            total[key] = total.get(key, 0) + many
    return total
