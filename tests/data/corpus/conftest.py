"""A small data set of our own form with all five tasks, and a recipe for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageDraw

from skymoe.data.corpus.build import build
from skymoe.data.corpus.recipe import load_corpus_recipe

SIDE = 96
Recipe = Callable[..., Path]
Records = list[dict[str, Any]]


def noise(seed: int, side: int = SIDE) -> Image.Image:
    """A coarse picture that is like no other."""
    rng = Random(seed)
    return Image.frombytes("RGB", (8, 8), rng.randbytes(192)).resize((side, side), Image.Resampling.BICUBIC)


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A sample: two tanks, no ship, a caption, a scene and a question."""
    made = {
        "id": f"s/{number}", "image": f"pictures/{number}.png", "source": "drawn", "split": "train",
        "licence": "CC0-1.0", "width": SIDE, "height": SIDE, "label": "port", "labels": ["port", "forest", "desert"],
        "captions": [f"picture {number} shows two tanks .", f"two tanks stand in picture {number} ."],
        "regions": [
            {"name": "storage tank", "box": [8, 8, 28, 28]}, {"name": "storage tank", "box": [60, 64, 92, 92]},
        ],
        "complete": ["storage tank"], "absent": ["ship"],
        "questions": [{"text": "Is it a rural or an urban area?", "answer": "rural", "kind": "rural_urban"}],
    }  # fmt: skip
    return {**made, **changes}


def write_samples(folder: Path, records: Records) -> Path:
    """The folder with samples.jsonl and a picture for each record."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, made in enumerate(records):
        path = folder / made["image"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            continue
        picture = noise(number)
        pen = ImageDraw.Draw(picture)
        for region in made["regions"]:
            pen.ellipse(region["box"], fill=(240, 240, 240))
        picture.save(path)
    lines = [json.dumps(made) + "\n" for made in records]
    (folder / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Twelve samples."""
    return write_samples(tmp_path / "drawn", [record(number) for number in range(12)])


@pytest.fixture
def recipe(tmp_path: Path, samples: Path) -> Recipe:
    """Writes a recipe for the samples; its keys may be changed."""

    def write(**changes: Any) -> Path:
        made = {
            "name": "small", "seed": 5, "output": str(tmp_path / "corpus"), "shard": 20,
            "tasks": {"caption": 1, "classify": 1, "vqa": 2, "count": 2, "ground": 2},
            "sources": [{"name": "samples", "root": str(samples)}],
        }  # fmt: skip
        path = tmp_path / "recipe.yaml"
        path.write_text(json.dumps({**made, **changes}), encoding="utf-8")
        return path

    return write


def built(path: Path, workers: int = 1, **options: Any) -> tuple[Path, dict[str, Any]]:
    """The corpus of a recipe and its manifest."""
    loaded = load_corpus_recipe(path)
    return loaded.output, build(loaded, workers=workers, **options)


def items_of(corpus: Path) -> Records:
    return [
        json.loads(text)
        for path in sorted(corpus.glob("items-*.jsonl"))
        for text in path.open(encoding="utf-8")
    ]


def quarantine_of(corpus: Path) -> Records:
    return [json.loads(text) for text in (corpus / "quarantine.jsonl").open(encoding="utf-8")]


def files_of(corpus: Path) -> dict[str, bytes]:
    """Every file of a corpus with its content."""
    return {
        str(path.relative_to(corpus)): path.read_bytes()
        for path in sorted(corpus.rglob("*"))
        if path.is_file()
    }
