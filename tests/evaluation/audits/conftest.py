from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from skymoe.answer import Answer
from skymoe.augment.opencv import opencv
from skymoe.evaluation.audits.bench import Bench, Settings
from skymoe.evaluation.benchmarks import Benchmark, Item
from skymoe.sample import Region, Sample
from skymoe.tasks import Query, get_task

SIDE = 160
MODEL = {"name": "m", "weights": "0"}
TANK = "storage tank"


class Says:
    """An engine that answers by a function of picture and query, with a fixed confidence; it remembers its calls."""

    def __init__(self, say: Callable[[Image.Image, Query], str], confidence: float | None = 0.5) -> None:
        self.say = say
        self.confidence = confidence
        self.asked: list[int] = []

    def answer(
        self, images: Sequence[Any], queries: Sequence[Query], *, constrained: bool = True, num_beams: int = 1
    ) -> list[Answer]:
        self.asked.append(len(queries))
        return [
            get_task(query.task)
            .parse(self.say(image, query), width=image.width, height=image.height, labels=query.labels)
            .replace(confidence=self.confidence)
            for image, query in zip(images, queries, strict=True)
        ]


def count_white(picture: Image.Image, query: Query | None = None) -> str:
    """Really counts: the white spots of the picture."""
    white = (np.asarray(picture.convert("L")) > 200).astype(np.uint8)
    return str(opencv().connectedComponents(white)[0] - 1)


def tanks(folder: Path, number: int, places: Sequence[tuple[int, int]], other: bool = False) -> Sample:
    """A green picture with white squares of 12 pixels at the places (left, top); ``other`` puts a ship on the first."""
    picture = Image.new("RGB", (SIDE, SIDE), (60, 110 + number % 40, 70))
    pen = ImageDraw.Draw(picture)
    regions = []
    for left, top in places:
        pen.rectangle((left, top, left + 11, top + 11), fill=(250, 250, 250))
        regions.append(Region(TANK, (left, top, left + 12, top + 12)))
    if other:
        left, top = places[0]
        regions.append(Region("ship", (left + 6, top + 6, left + 30, top + 20)))
    path = folder / f"{number}.png"
    picture.save(path)
    return Sample(
        id=f"t/{number}", image=str(path), source="test", split="test", licence="-", width=SIDE, height=SIDE,
        regions=tuple(regions), complete=frozenset({TANK}),
    )  # fmt: skip


def row(count: int) -> list[tuple[int, int]]:
    """So many places that touch nothing."""
    return [(8 + 24 * (n % 6), 8 + 24 * (n // 6)) for n in range(count)]


def count_item(sample: Sample) -> Item:
    return Item(sample.id, sample, Query("count", TANK, str(sample.count(TANK)), "count", official=True))


def bench_of(engine: Any, items: Sequence[Item], folder: Path, **settings: Any) -> Bench:
    benchmark = Benchmark("own", "Own", items[0].query.task, "coco", lambda sample: [])
    folder.mkdir(exist_ok=True)
    return Bench(engine, MODEL, benchmark, items, folder, Settings(**settings))


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Pictures with 1, 2, 3, 7 and 12 tanks, and one with none."""
    folder = tmp_path_factory.mktemp("counted")
    return [count_item(tanks(folder, n, row(n))) for n in (1, 2, 3, 7, 12, 0)]


def values(result: dict[str, Any]) -> dict[str, float]:
    """The measures by name."""
    return {line["name"]: line["value"] for line in (*result["measures"], *result.get("gaps", ()))}
