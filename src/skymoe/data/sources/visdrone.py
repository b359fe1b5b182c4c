"""VisDrone-DET: people and vehicles from drones, with areas that nobody annotated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skymoe.data.sources.object_source import ObjectSource, pictures_below
from skymoe.data.sources.objects import DamagedError, RawObject, label_lines
from skymoe.data.sources.options import flag
from skymoe.data.tiles import cut_sample, largest_clear
from skymoe.sample import XYXY, Sample

OFFICIAL = (
    "pedestrian", "person", "bicycle", "car", "van", "truck", "tricycle", "awning tricycle", "bus", "motorcycle",
)  # fmt: skip
IGNORED, OTHERS = "0", "11"
HEAVY = 2
"""Occlusion of more than half: hard to see for people, too."""
CLEAR = 0.25
"""The least share of a picture that its part without ignored areas must have to be used alone."""


class Label(NamedTuple):
    """A picture's objects, and the areas (pixels) where none was annotated."""

    objects: list[RawObject | DamagedError]
    ignored: list[XYXY]


class VisDrone(ObjectSource):
    """VisDrone-DET 2019 (Zhu et al. 2021, Tianjin University): 10,209 pictures from drones over 14 Chinese cities, up
    to 2000×1500 px, seen at a slant from low heights.

    Layout: ``VisDrone2019-DET-{train,val,test-dev}/{images/*.jpg,annotations/*.txt}`` (below ``VisDrone`` or the
    data folder), in lines ``left,top,width,height,score,category,truncation,occlusion``. Official split
    6,471/548/1,610; "test" is test-dev, the labels of test-challenge (1,580) are not public.

    Categories: 1 pedestrian and 2 people (sitting, riding) are both "person" here, 7 tricycle and 8 awning-tricycle
    both "tricycle", because a question for persons means all of them; ``official=True`` keeps the ten apart
    ("person" for 2, "awning tricycle"), and then counts neither "person" nor "tricycle". 10 is "motorcycle".
    Occlusion of more than half, score 0 or truncation make an object difficult; 11 (others) has no box here.

    Nothing is annotated in the ignored areas (category 0). A picture with some is cut to its largest part without
    any, when that is at least a quarter of it, and counted there; otherwise it is kept whole and nothing is
    counted in it. Tiles (``side``) that touch an ignored area are left out.

    Licence: academic use. Citation: P. Zhu et al.: Detection and tracking meet drones challenge, IEEE TPAMI 44(11),
    2021. Known faults: boxes without area, and a comma at the end of some lines. Not verified here on the real
    files.
    """

    name = "visdrone"
    licence = "academic use"
    folder = "VisDrone"
    also = ("VisDrone-DET", "VisDrone2019-DET")
    needs = ("VisDrone2019-DET-train", "VisDrone2019-DET-val", "VisDrone2019-DET-test-dev")
    where = "VisDrone-DET (github.com/VisDrone/VisDrone-Dataset, task 1)"
    counts = {"train": 6471, "val": 548, "test": 1610}
    names = {str(number): name for number, name in enumerate(OFFICIAL, 1)}

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        official: bool = False,
        side: int | None = None,
        overlap: int = 200,
        empty: float = 0.1,
        smallest: float = 0.0,
    ) -> None:
        super().__init__(root, side=side, overlap=overlap, empty=empty, smallest=smallest)
        official = flag(self.name, "official", official)
        together = {} if official else {"1": "person", "8": "tricycle"}
        self.names = VisDrone.names | together
        self.counted = self.classes - ({"person", "tricycle"} if official else set())

    def _samples(self, split: str) -> Iterator[Sample]:
        part = {"test": "test-dev"}.get(split, split)
        folder = self.home / f"VisDrone2019-DET-{part}"
        nested = folder / folder.name  # one of the archives unpacks so
        folder = nested if nested.is_dir() else folder
        pictures = pictures_below(folder / "images")
        labels = {path.stem: path for path in sorted((folder / "annotations").glob("*.txt"))}
        for stem, picture, path in self.pairs(pictures, labels):
            try:
                label = read_label(path)
            except DamagedError as error:
                self.quarantine(stem, str(error))
                continue
            sample = self.picture(stem, picture, split, label.objects, self.counted)
            if sample is None or not label.ignored:
                yield from self.whole_or_tiles(sample)
            elif self.tiling is not None and max(sample.width, sample.height) > self.tiling.side:
                yield from self.whole_or_tiles(sample, label.ignored)
            else:
                yield clear_part(sample, label.ignored)


def clear_part(sample: Sample, ignored: list[XYXY]) -> Sample:
    """The largest part of the picture without ignored areas; the whole, and nothing counted, where it is small."""
    window = largest_clear(sample.width, sample.height, ignored)
    if window is not None:
        left, top, right, bottom = window
        if window == (0, 0, sample.width, sample.height):
            return sample
        if (right - left) * (bottom - top) >= CLEAR * sample.width * sample.height:
            return cut_sample(sample, window)
    return sample.replace(complete=frozenset())


def read_label(path: Path) -> Label:
    """The label file of a picture; a line that is no object gives its reason. DamagedError when it is no text."""
    label = Label([], [])
    for line in label_lines(path):
        try:
            numbers = [int(word) for word in line.rstrip(",").split(",")]
            left, top, width, height, score, category, truncation, occlusion = numbers
        except ValueError:
            label.objects.append(DamagedError(f"{path.name} has the line {line[:60]!r}, not eight numbers"))
            continue
        corners = (float(left), float(top), float(left + width), float(top + height))
        if str(category) == IGNORED:
            if width > 0 and height > 0:
                label.ignored.append(corners)
        elif str(category) != OTHERS:
            difficult = score == 0 or truncation > 0 or occlusion >= HEAVY
            label.objects.append(RawObject(str(category), corners, difficult))
    return label
