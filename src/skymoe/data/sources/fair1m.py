"""FAIR1M: fine-grained airplanes, ships, vehicles, courts and roads with oriented boxes, read as tiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from skymoe.data.sources.object_source import ObjectSource, named, pictures_below
from skymoe.data.sources.objects import DamagedError, RawObject
from skymoe.data.sources.options import flag
from skymoe.data.sources.voc_xml import read_xml, text_of
from skymoe.sample import Sample

AIRPLANES = named("boeing 737", "boeing 747", "boeing 777", "boeing 787", "arj21", "c919", "a220", "a321", "a330",
                  "a350", "other airplane")  # fmt: skip
SHIPS = named("passenger ship", "motorboat", "fishing boat", "tugboat", "engineering ship", "liquid cargo ship",
              "dry cargo ship", "warship", "other ship")  # fmt: skip
VEHICLES = named("small car", "bus", "cargo truck", "dump truck", "van", "trailer", "tractor", "excavator",
                 "truck tractor", "other vehicle")  # fmt: skip
PLACES = named("baseball field", "basketball court", "football field", "tennis court", "roundabout", "intersection",
               "bridge")  # fmt: skip


PICTURES = {"train": 16488, "val": 8287}


class Fair1m(ObjectSource):
    """FAIR1M (Sun et al. 2022, Aerospace Information Research Institute): GF series and Google Earth, 0.3–0.8 m a
    pixel, 1,000 to 10,000 px wide, more than a million oriented boxes, 37 classes of five groups. 1.0: 16,488
    pictures for training (part1 with 1,733, part2 with the rest); 2.0 adds 8,287 for validation. The labels of the
    test pictures are not public: there is no split "test".

    Layout: ``FAIR1M/train/part1/{images/*.tif,labelXml/*.xml}``, ``FAIR1M/train/part2/{images,labelXmls}``,
    ``FAIR1M/validation/{images,labelXmls}``; ``labelXml`` and ``labelXmls`` are taken anywhere, and pictures in
    folders below ``images``. The mirror ``data/{images,labelXmls}`` (part1 alone) is "train".

    Read as tiles of ``side`` 1024 px (`data/tiles.py`; ``side=0`` for whole pictures). ``coarse=True`` calls all
    airplanes "airplane", all ships "ship" and all vehicles "vehicle", and counts these; else the 37 fine classes are
    counted, except the "other …".

    Licence: research use, no redistribution. Citation: X. Sun et al.: FAIR1M: a benchmark dataset for fine-grained
    object recognition in high-resolution remote sensing imagery, ISPRS Journal 184, 2022. Known faults: pictures of
    both parts share numbers (the id says the part); the fifth point of an outline repeats the first. Not verified
    here on the real files: how complete the small vehicles are.
    """

    name = "fair1m"
    licence = "research use"
    folder = "FAIR1M"
    also = ("FAIR1M2.0", "FAIR1M1.0")
    needs = (
        ("train/*/images", "train/images", "data/images"),
        ("train/*/labelXml*", "train/labelXml*", "data/labelXml*"),
    )
    where = "FAIR1M (gaofen-challenge.com/benchmark)"
    counts = {}  # tiles: how many, depends on their side
    splits = ("train", "val")
    default_side: ClassVar[int] = 1024
    names = AIRPLANES | SHIPS | VEHICLES | PLACES

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        coarse: bool = False,
        side: int | None = None,
        overlap: int = 200,
        empty: float = 0.1,
        smallest: float = 0.0,
    ) -> None:
        super().__init__(root, side=side, overlap=overlap, empty=empty, smallest=smallest)
        if flag(self.name, "coarse", coarse):
            groups = {"airplane": AIRPLANES, "ship": SHIPS, "vehicle": VEHICLES}
            self.names = PLACES | {key: name for name, group in groups.items() for key in group}
        self.counted = {name for name in self.classes if not name.startswith("other ")}

    def parts(self, split: str) -> list[Path]:
        """The folders with ``images`` and labels of a split."""
        base = self.home / {"val": "validation"}.get(split, split)
        if split == "train" and not base.is_dir():
            return [self.home / "data"]
        return sorted(
            {folder.parent for folder in base.rglob("images") if folder.is_dir() and _labels(folder.parent)}
        )

    def whole_pictures(self, split: str) -> tuple[int, int] | None:
        there = sum(len(pictures_below(p / "images").keys() & _stems(p).keys()) for p in self.parts(split))
        return there, PICTURES[split]

    def _samples(self, split: str) -> Iterator[Sample]:
        for part in self.parts(split):
            pictures = pictures_below(part / "images")
            labels = _stems(part)
            where = part.name if part.name.startswith("part") else split
            for entry, picture, label in self.pairs(pictures, labels, f"{where}/"):
                try:
                    objects = read_fair_xml(label)
                except DamagedError as error:
                    self.quarantine(entry, str(error))
                    continue
                yield from self.whole_or_tiles(self.picture(entry, picture, split, objects, self.counted))


def _stems(part: Path) -> dict[str, Path]:
    """The label files of a part by the name of their picture."""
    return {path.stem: path for folder in _labels(part) for path in sorted(folder.rglob("*.xml"))}


def _labels(part: Path) -> list[Path]:
    return [folder for folder in sorted(part.glob("labelXml*")) if folder.is_dir()]


def read_fair_xml(path: Path) -> list[RawObject]:
    """The objects of a label file: a name under ``possibleresult``, and the points of its outline."""
    found = []
    for node in read_xml(path).iter("object"):
        result = node.find("possibleresult")
        points = [(point.text or "").split(",") for point in node.iter("point")]
        if result is None or len(points) < 4:
            raise DamagedError(
                f"annotation {path.name}: an object has no possibleresult or fewer than four points"
            )
        if points[0] == points[-1]:
            points = points[:-1]
        try:
            corners = tuple(float(value) for x, y in points for value in (x, y))
        except ValueError as error:
            raise DamagedError(f"annotation {path.name}: a point is not x,y") from error
        found.append(RawObject(text_of(result, "name", path), corners))
    return found
