"""DOTA 1.0, 1.5 and 2.0: oriented boxes in large pictures, read as tiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from skymoe.data.sources.object_source import ObjectSource, named, pictures_below
from skymoe.data.sources.objects import DamagedError, RawObject, label_lines
from skymoe.errors import UserError
from skymoe.sample import Sample

VERSIONS = ("2.0", "1.5", "1.0")
FIRST = (
    "baseball diamond", "ground track field", "small vehicle", "large vehicle", "ship", "tennis court",
    "basketball court", "storage tank", "roundabout", "swimming pool", "helicopter", "bridge", "harbor",
)  # fmt: skip
SOCCER = {"soccerballfield": "soccer field", "plane": "airplane"}
CLASSES = {
    "1.0": named(*FIRST, **SOCCER),
    "1.5": named(*FIRST, "container crane", **SOCCER),
    "2.0": named(*FIRST, "container crane", "airport", "helipad", **SOCCER),
}
PICTURES = {
    "1.0": {"train": 1411, "val": 458}, "1.5": {"train": 1411, "val": 458}, "2.0": {"train": 1830, "val": 593},
}  # fmt: skip
NOT_COUNTED = {"1.0": frozenset({"small vehicle", "large vehicle", "ship"})}


class Dota(ObjectSource):
    """DOTA (Xia et al. 2018; Ding et al. 2021): Google Earth, GF-2, JL-1 and aerial pictures, 800 to 20,000 px wide,
    oriented boxes. 1.0: 188,282 objects of 15 classes in 2,806 pictures, train/val/test 1,411/458/937. 1.5: the
    same pictures, also the objects below about 10 px, "container crane", 403,318 objects. 2.0: 11,268 pictures,
    1,793,658 objects, 18 classes with "airport" and "helipad", train/val 1,830/593, the labels of test-dev and
    test-challenge are not public: there is no split "test".

    Layout: ``DOTA/{train,val}/images/**/P0000.png`` and, by version, ``labelTxt-v2.0/DOTA-v2.0_train``,
    ``labelTxt-v1.5/DOTA-v1.5_train``, ``labelTxt-v1.0/labelTxt`` or plain ``labelTxt``, in lines ``x1 y1 x2 y2
    x3 y3 x4 y4 class difficult`` after up to two lines of head. The newest version there is is read unless
    ``version`` names one (plain ``labelTxt`` counts as 1.0 unless it does). Only ``images`` and ``labelTxt`` in one
    folder: everything is "train". 2.0 needs the pictures of 1.0 in the same folder.

    Read as tiles of ``side`` 1024 px that overlap by 200 (`data/tiles.py`; ``side=0`` for whole pictures). In 1.0
    vehicles and ships are not counted, because the small ones have no box. Words: "airplane" for plane, "soccer
    field" for soccer-ball-field.

    Licence: academic use only (the pictures of Google Earth under its terms). Citation: G.-S. Xia et al.: DOTA: a
    large-scale dataset for object detection in aerial images, CVPR 2018; J. Ding et al.: Object detection in aerial
    images: a large-scale benchmark and challenges, IEEE TPAMI 44(11), 2021. Known faults: single objects have no
    box (an airplane in the middle of P0168; none of its parked cars in 1.0), boxes reach beyond the picture
    (clipped), some four corners are not convex (the smallest rectangle is taken), pictures of more than 250 million
    pixels can't be opened here (quarantined). The reading of ``labelTxt``, tiles and boxes was checked on four real
    pictures of 1.0; the folders of 1.5 and 2.0 are as public readers describe them.
    """

    name = "dota"
    licence = "academic use"
    folder = "DOTA"
    also = ("DOTA-v2.0", "DOTA-v1.5", "DOTA-v1.0", "DOTAv2", "DOTAv1")
    needs = (("train/images", "images"), ("train/labelTxt*", "labelTxt*"))
    where = "DOTA (captain-whu.github.io/DOTA)"
    counts = {}  # tiles: how many, depends on their side
    splits = ("train", "val")
    default_side: ClassVar[int] = 1024

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        version: str | None = None,
        side: int | None = None,
        overlap: int = 200,
        empty: float = 0.1,
        smallest: float = 0.0,
    ) -> None:
        super().__init__(root, side=side, overlap=overlap, empty=empty, smallest=smallest)
        named_version = (
            None if version is None else str(version).lower().lstrip("v")
        )  # a recipe may give a number
        if named_version not in (None, *VERSIONS):
            raise UserError(f"dota: there is no version {version!r}; choose one of {', '.join(VERSIONS)}")
        self.version = named_version

    def labels(self, base: Path, split: str) -> tuple[str, Path]:
        """The version that is read, and the folder of its label files below `base`."""
        for version in (self.version,) if self.version else VERSIONS:
            folders = [f"labelTxt-v{version}/DOTA-v{version}_{split}", f"labelTxt-v{version}/labelTxt",
                       f"labelTxt-v{version}"]  # fmt: skip
            if self.version or version == "1.0":
                folders.append("labelTxt")
            for folder in folders:
                if (base / folder).is_dir():
                    return version, base / folder
        raise UserError(
            f"dota: no labelTxt of version {self.version or 'any'} in {base}; unpack it there or name the version"
        )

    @property
    def flat(self) -> bool:
        """Whether there are just ``images`` and ``labelTxt``: somebody's choice of pictures, without splits."""
        return not (self.home / "train").is_dir()

    def whole_pictures(self, split: str) -> tuple[int, int] | None:
        if self.flat:
            return None
        version, folder = self.labels(self.home / split, split)
        there = pictures_below(self.home / split / "images").keys() & {p.stem for p in folder.glob("*.txt")}
        return len(there), PICTURES[version][split]

    def _samples(self, split: str) -> Iterator[Sample]:
        if self.flat and split != "train":
            return
        base = self.home if self.flat else self.home / split
        version, folder = self.labels(base, split)
        self.names = CLASSES[version]
        counted = self.classes - NOT_COUNTED.get(version, frozenset())
        pictures = pictures_below(base / "images")
        labels = {path.stem: path for path in sorted(folder.glob("*.txt"))}
        for stem, picture, label in self.pairs(pictures, labels):
            try:
                objects = read_label_txt(label)
            except DamagedError as error:
                self.quarantine(stem, str(error))
                continue
            yield from self.whole_or_tiles(self.picture(stem, picture, split, objects, counted))


def read_label_txt(path: Path) -> list[RawObject | DamagedError]:
    """The objects of a labelTxt file; a line that is none gives its reason. DamagedError when it is no text."""
    found: list[RawObject | DamagedError] = []
    for line in label_lines(path):
        if line.startswith(("imagesource:", "gsd:")):
            continue
        words = line.split()
        try:
            corners = tuple(float(word) for word in words[:8])
            difficult = len(words) == 10 and int(words[9]) > 0
        except ValueError:
            words = []
        if len(words) not in (9, 10):
            found.append(
                DamagedError(f"{path.name} has the line {line[:60]!r}, not four corners and a class")
            )
            continue
        found.append(RawObject(words[8], corners, difficult))
    return found
