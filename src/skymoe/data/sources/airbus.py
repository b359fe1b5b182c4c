"""Airbus oil storage detection: storage tanks with boxes, as tiles at many scales for counting and
grounding."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skymoe.data.cuts import KEPT, SLIVER, cut_regions
from skymoe.data.sources.base import SPLITS, Draw, Source, malformed
from skymoe.errors import UserError
from skymoe.sample import XYXY, Region, Sample

TANK = "storage tank"
CSV = "Airbus-OilStorage/annotations.csv"
IMAGES = "Airbus-OilStorage/images"

SCALES = (192, 256, 384, 512, 768)
"""Sides of the tiles of the fixed grids, in pixels of the scene (about 1.2 m)."""
RANDOM_SIDES = (96, 896)
"""Smallest and largest side of a random training tile."""
MOST = 60
"""Tiles with more tanks are left out."""
SMALLEST = 1 / 48
"""Tiles with a tank smaller than this share of their side are left out: at 224 px nobody would see it."""
EMPTY = 0.15
"""The share of tiles without a tank."""


Place = Literal["empty", "anywhere", "near"]


@dataclass(frozen=True)
class Scene:
    """A whole picture with all of its tanks, pixels."""

    id: str
    image: str
    split: str
    width: int
    height: int
    regions: tuple[Region, ...]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """[tanks, 4]"""
        return np.array([region.box for region in self.regions], dtype=np.float64).reshape(-1, 4)


class Window(NamedTuple):
    """A possible tile and what is known of it before it is cut out."""

    box: tuple[int, int, int, int]
    fit: Literal["tanks", "empty", "unfit"]


class AirbusOilStorage(Source):
    """Airbus Oil Storage Detection: 45 SPOT scenes, 2560×2560 px, about 1.2 m a pixel, 8,670 tank boxes.

    No official split; here whole scenes go to train/val/test 31/5/9, in the order of a hash of their names.
    Samples are square tiles with "storage tank" annotated completely, from a fixed grid at five scales
    (192–768 px). Tiles of several scales show the same tanks: they are not independent of each other.
    Training draws fresh tiles instead (`train_tile`).

    Counts are kept honest so: a tank cut by the tile's edge counts when at least half of its box is inside
    (box clipped); when one has between 15 % and 50 % of its box inside, the tile is moved by up to a quarter
    of its side, or left out. So are tiles with more than 60 tanks, or with one smaller than 1/48 of the
    tile's side (4.7 px at 224 px). 15 % of the tiles are empty.

    Licence: CC BY-NC-SA 4.0 (Airbus DS 2021; the pictures here are re-encoded as JPEG). Quirks: half of the
    tanks are smaller than 20 px; boxes lean with the viewing angle; domed silos are sometimes annotated and
    sometimes not; two boxes have no height (repaired: tanks are round), seven tanks are annotated twice (the
    second box, IoU above 0.5, is dropped: 8,663 tanks).

    Cite: Airbus DS: "Airbus oil storage detection dataset", Kaggle, 2021 (there is no paper).
    """

    name = "airbus-oil-storage"
    where = (
        "Airbus Oil Storage Detection (kaggle.com/datasets/airbusgeo/airbus-oil-storage-detection-dataset)"
    )
    licence = "CC BY-NC-SA 4.0"
    needs = (CSV, IMAGES)
    counts = {"train": 2359, "val": 559, "test": 878}

    def scenes(self, split: str | None = None) -> list[Scene]:
        """The scenes of a split (all by default), in the order of their names; those without a picture are
        quarantined."""
        self.quarantined = []
        boxes = read_boxes(self.root / CSV, self.name)
        found = []
        for name, its_split in scene_splits(list(boxes)).items():
            if split in (None, its_split):
                path = self.root / IMAGES / f"{name}.jpg"
                size = self.measure(path, name)
                if size is not None:
                    regions = tuple(Region(TANK, box) for box in distinct(boxes[name]))
                    found.append(Scene(name, str(path), its_split, *size, regions))
        return found

    def _samples(self, split: str) -> Iterator[Sample]:
        scenes = self.scenes(split)
        for side in SCALES:
            grid = [(scene, window) for scene in scenes for window in grid_windows(scene, side)]
            full = [pair for pair in grid if pair[1].fit == "tanks"]
            empty = sorted((pair for pair in grid if pair[1].fit == "empty"), key=lambda pair: _order(*pair))
            wanted = round(len(full) * EMPTY / (1 - EMPTY))
            for scene, window in full + empty[:wanted]:
                yield self._tile(scene, window.box)

    def training_items(self, split: str) -> Sequence[Sample | Draw]:
        """One way to draw a random tile for each scene; validation and test stay fixed."""
        if split != "train":
            return list(self.samples(split))
        next(self.samples(split))  # says what is missing
        return [partial(self.train_tile, scene) for scene in self.scenes(split)]

    def train_tile(self, scene: Scene, rng: Random) -> Sample:
        """A random tile of the scene: side log-uniform in 96–896 px, around a random tank, or (15 %) without
        any."""
        boxes = scene.boxes
        kind: Place = rng.choices(("empty", "anywhere", "near"), (EMPTY, (1 - EMPTY) / 2, (1 - EMPTY) / 2))[0]
        # Not every scene has room for an empty tile, nor is a lonely tank often met by chance.
        for place in (kind, "near", "empty"):
            for _ in range(200):
                window = random_window(scene, boxes, rng, place)
                if window.fit == ("empty" if place == "empty" else "tanks"):
                    return self._tile(scene, window.box)
        raise UserError(f"{self.name}: scene {scene.image} has no tile that can be counted; leave it out")

    def _tile(self, scene: Scene, box: tuple[int, int, int, int]) -> Sample:
        left, top, right, bottom = box
        cut = cut_regions(scene.regions, box)
        assert cut.clean, (scene.id, box)
        return Sample(
            id=f"airbus/{scene.id[:8]}/{right - left}/{left}-{top}", image=scene.image, source=self.name,
            split=scene.split, licence=self.licence, width=right - left, height=bottom - top,
            window=(float(left), float(top), float(right), float(bottom)), regions=cut.regions,
            complete=frozenset({TANK}),
        )  # fmt: skip


def read_boxes(path: Path, source: str) -> dict[str, list[XYXY]]:
    """The boxes of every scene, as in the file (`image_id,class,bounds` with bounds `(xmin, ymin, xmax,
    ymax)`)."""
    found: dict[str, list[XYXY]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{source}: {path} can't be read as CSV; get the data set again") from error
    for number, row in enumerate(rows, 2):
        match = re.fullmatch(r"\((-?\d+), (-?\d+), (-?\d+), (-?\d+)\)", row.get("bounds") or "")
        if not row.get("image_id") or match is None:
            raise malformed(path, f"line {number} has no image_id and bounds", source)
        x1, y1, x2, y2 = map(float, match.groups())
        # Two boxes of the official file have no height; tanks are round, and the tank is there.
        found.setdefault(row["image_id"], []).append((x1, y1, x2, y2 if y2 > y1 else y1 + x2 - x1))
    if not found:
        raise malformed(path, "no boxes", source)
    return dict(sorted(found.items()))


def distinct(boxes: Sequence[XYXY]) -> list[XYXY]:
    """The boxes without those that annotate a tank a second time (IoU above 0.5)."""
    from skymoe.boxes import iou

    kept: list[XYXY] = []
    for box in boxes:
        if all(box[0] >= other[2] or other[0] >= box[2] or iou(box, other) <= 0.5 for other in kept):
            kept.append(box)
    return kept


def scene_splits(names: Sequence[str]) -> dict[str, str]:
    """Scene names to splits: by a hash of the name the first fifth is test, the next ninth val, the rest
    train."""
    shuffled = sorted(names, key=lambda name: sha256(f"skymoe/airbus/{name}".encode()).digest())
    test, val = round(len(names) / 5), round(len(names) / 9)
    which = dict.fromkeys(shuffled, SPLITS[0])
    which |= dict.fromkeys(shuffled[test : test + val], SPLITS[1]) | dict.fromkeys(shuffled[:test], SPLITS[2])
    return {name: which[name] for name in sorted(names)}


def judge(boxes: NDArray[np.float64], window: tuple[int, int, int, int]) -> Window:
    """Whether a tile can be cut there: the rules of the class docstring."""
    left, top, right, bottom = window
    inside = np.minimum(boxes[:, 2:], (right, bottom)) - np.maximum(boxes[:, :2], (left, top))
    touching = (inside > 0).all(axis=1)
    if not touching.any():
        return Window(window, "empty")
    sides = (boxes[:, 2:] - boxes[:, :2])[touching]
    share = inside[touching].prod(axis=1) / sides.prod(axis=1)
    counted = share >= KEPT
    unclear = (share > SLIVER) & ~counted
    fits = counted.any() and not unclear.any() and counted.sum() <= MOST
    # Counted sides are those that are seen: a tank cut to a strip is as hard to see as a small one.
    if not fits or inside[touching][counted].max(axis=1).min() < SMALLEST * (right - left):
        return Window(window, "unfit")
    return Window(window, "tanks")


def grid_windows(scene: Scene, side: int) -> list[Window]:
    """The tiles of a regular grid over the scene; where a tile is unfit, it is nudged to the nearest place
    that fits."""
    boxes = scene.boxes
    across, down = scene.width // side, scene.height // side
    margin = (scene.width - across * side) // 2, (scene.height - down * side) // 2
    steps = sorted(
        ((x, y) for x in range(-2, 3) for y in range(-2, 3)), key=lambda s: (s[0] ** 2 + s[1] ** 2, s)
    )
    found = []
    for row in range(down):
        for column in range(across):
            for dx, dy in steps:
                left = margin[0] + column * side + dx * side // 8
                top = margin[1] + row * side + dy * side // 8
                if not (0 <= left <= scene.width - side and 0 <= top <= scene.height - side):
                    continue
                window = judge(boxes, (left, top, left + side, top + side))
                if window.fit != "unfit":
                    found.append(window)
                    break
    return found


def random_window(scene: Scene, boxes: NDArray[np.float64], rng: Random, place: Place) -> Window:
    """A random square window; "near": with a random tank wholly inside."""
    most = min(RANDOM_SIDES[1], scene.width, scene.height)
    side = round(math.exp(rng.uniform(math.log(min(RANDOM_SIDES[0], most)), math.log(most))))
    lows, highs = [0, 0], [scene.width - side, scene.height - side]
    if place == "near" and len(boxes):
        tank = boxes[rng.randrange(len(boxes))]
        for axis in (0, 1):
            low = max(lows[axis], math.ceil(tank[axis + 2]) - side)
            high = min(highs[axis], math.floor(tank[axis]))
            lows[axis], highs[axis] = (low, high) if low <= high else (lows[axis], highs[axis])
    left, top = rng.randint(lows[0], highs[0]), rng.randint(lows[1], highs[1])
    return judge(boxes, (left, top, left + side, top + side))


def _order(scene: Scene, window: Window) -> bytes:
    return sha256(f"{scene.id}{window.box}".encode()).digest()
