"""A page that shows what is in a corpus: items of every source and task, their boxes drawn on the pictures."""

from __future__ import annotations

import base64
import io
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

from skymoe.data.corpus.checking import said, sample_of
from skymoe.data.corpus.formats import read_shard
from skymoe.data.corpus.manifest import SAMPLES, load_manifest
from skymoe.errors import UserError
from skymoe.pictures import open_picture
from skymoe.sample import Sample

PER = 6
SIDE = 320
"""Pixels of the longer side of a shown picture: the page holds them itself."""


def write_preview(corpus: Path, out: Path, *, per: int = PER, seed: int = 0) -> int:
    """Write the page with up to `per` items of each source and task; returns how many it shows.

    Raises:
        UserError: where there is no corpus, a picture of it is damaged, or the page cannot be written.
    """
    from jinja2 import Environment, StrictUndefined

    # jinja2 comes with torch and with Transformers' chat templates.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(Path(__file__).with_name("preview.html").read_text(encoding="utf-8"))
    manifest = load_manifest(corpus)
    groups, totals = draw(corpus, manifest, per, seed)
    with (corpus / SAMPLES).open("rb") as samples:
        shown = [
            {
                "source": source,
                "task": task,
                "total": totals[source, task],
                "cards": [_card(item, corpus, sample_of(corpus, samples, item)) for item in items],
            }
            for (source, task), items in groups.items()
        ]
    page = template.render(
        name=manifest["name"], items=manifest["items"], samples=manifest["samples"], sources=manifest["sources"],
        groups=shown, per=per, seed=seed,
    )  # fmt: skip
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        os.replace(part, out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"--out {out}: cannot be written ({error.strerror or error})") from error
    return sum(len(items) for items in groups.values())


Group = tuple[str, str]


def draw(
    corpus: Path, manifest: dict[str, Any], per: int, seed: int
) -> tuple[dict[Group, list[dict[str, Any]]], dict[Group, int]]:
    """Up to `per` items of each source and task, and how many there are; reads the corpus once."""
    drawn: dict[Group, list[tuple[bytes, dict[str, Any]]]] = {}
    totals: dict[Group, int] = {}
    for shard in manifest["shards"]:
        for item in read_shard(corpus / shard["file"]):
            group = (item["source"], item["task"])
            totals[group] = totals.get(group, 0) + 1
            rank = blake2b(f"{seed}/{item['id']}".encode(), digest_size=8).digest()
            held = drawn.setdefault(group, [])
            if len(held) < per or rank < held[-1][0]:
                held.append((rank, item))
                held.sort(key=lambda pair: (pair[0], pair[1]["id"]))
                del held[per:]
    return {group: [item for _, item in drawn[group]] for group in sorted(drawn)}, totals


def _card(item: dict[str, Any], corpus: Path, sample: Sample | None) -> dict[str, Any]:
    subject = item["answer"]["subject"] or ""
    others = [
        region.box
        for region in (sample.regions if sample else ())
        if item["task"] in ("count", "ground") and subject.endswith(region.name)
    ]
    return {
        "id": item["id"],
        "asked": said(item, "user"),
        "answered": said(item, "assistant"),
        "granularity": item["granularity"],
        "licence": item["licence"],
        "width": item["width"],
        "height": item["height"],
        "boxes": item["answer"]["boxes"],
        "others": others,
        "picture": _data_uri(corpus / item["images"][0]),
    }


def _data_uri(path: Path) -> str:
    picture = open_picture(path)
    picture.thumbnail((SIDE, SIDE))
    memory = io.BytesIO()
    picture.save(memory, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()
