"""UC Merced Land Use: 2,100 pictures of 21 scenes, split so that UCM-Captions stays a fair test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property

from skymoe.data.absence import UCM, absent_objects
from skymoe.data.sources.base import malformed
from skymoe.data.sources.scene_folders import SceneFolders
from skymoe.data.sources.ucm_captions import CLASSES, JSON, ucm_entries
from skymoe.errors import UserError

# UCM-Captions numbers the pictures 1 … 2100, a hundred of each class in alphabetical order. Its split, read from
# its dataset.json: 90–99 of each class are test and 80–89 val, but for these.
_TEST = {"agricultural": range(80, 90)}
_VAL = {
    "agricultural": {*range(90, 100)},
    "airplane": {*range(80, 90)} - {88},
    "denseresidential": {*range(80, 90), 13, 14, 15},
    "harbor": {*range(80, 90)} - {84},
    "intersection": {*range(80, 90)} - {89},
}
# The pictures that are not 256×256 px, by their number in UCM-Captions: width, height.
ODD_SIZES = {
    156: (253, 256), 160: (256, 253), 177: (253, 256), 216: (256, 253), 236: (252, 256), 246: (250, 256),
    294: (256, 255), 358: (252, 256), 497: (247, 247), 905: (256, 251), 906: (256, 251), 907: (256, 251),
    908: (256, 251), 1011: (257, 257), 1044: (253, 256), 1200: (249, 256), 1323: (253, 256), 1324: (253, 256),
    1325: (253, 256), 1334: (256, 253), 1460: (256, 254), 1463: (255, 256), 1465: (247, 247), 1466: (247, 247),
    1467: (247, 247), 1468: (247, 247), 1469: (247, 247), 1470: (247, 247), 1471: (247, 247), 1472: (247, 247),
    1510: (255, 256), 1521: (256, 247), 1631: (256, 251), 1684: (256, 249), 1762: (254, 256), 1789: (256, 254),
    1823: (255, 256), 1846: (242, 256), 1847: (250, 256), 1961: (256, 249), 1963: (254, 256), 1964: (254, 256),
    2015: (247, 256), 2037: (255, 256),
}  # fmt: skip


def caption_split(label: str, number: int) -> str:
    """The split UCM-Captions gives to picture `number` (0–99) of a class."""
    if number in _TEST.get(label, range(90, 100)):
        return "test"
    return "val" if number in _VAL.get(label, range(80, 90)) else "train"


class UcMerced(SceneFolders):
    """UC Merced Land Use (Yang and Newsam 2010): 2,100 pictures of 21 scene classes, 100 a class.

    256×256 px (44 are a few pixels off), one foot a pixel, US cities. `Images/<class>/<class>00.tif` … `99.tif`
    in `UCMerced_LandUse/`. No official split. By default it is that of UCM-Captions, which describes the same
    pictures: 1,680/210/210. With `share=0.8`, `0.5` or `0.2` (the field's 80/20, 50/50, 20/80) and `seed=` it
    is drawn, but no val or test picture of UCM-Captions is ever trained on: they are test, and at 0.8 one
    class has three pictures less than its eighty.

    That UCM-Captions' picture k is number (k-1) % 100 of the class (k-1) // 100 could not be verified on the
    pictures themselves here; that their 44 odd sizes fall on the same numbers is checked while reading, and a
    copy that contradicts it is refused. `absent` follows from the class, less what the picture's
    captions name where UCM-Captions is there.

    Licence: public domain (USGS National Map Urban Area Imagery). Citation: Y. Yang, S. Newsam,
    "Bag-Of-Visual-Words and Spatial Extensions for Land-Use Classification", ACM GIS 2010. Known faults: the three
    residential classes and buildings run into each other; several pictures of a class overlap.
    """

    name = "uc-merced"
    licence = "public domain (USGS)"
    places = ("UCMerced_LandUse/Images", "UC-Merced/UCMerced_LandUse/Images", "UC-Merced/Images", "Images")
    needs = places[:1]
    where = "UCMerced_LandUse.zip (http://weegee.vision.ucmerced.edu/datasets/landuse.html)"
    classes = CLASSES
    usual_share = 0.8
    counts = {"train": 1680, "val": 210, "test": 210}

    def __init__(
        self, root: str | os.PathLike[str] | None = None, *, share: float | str | None = None, seed: int = 0
    ) -> None:
        super().__init__(root, share=share, seed=seed)
        if str(seed) != "0" and share is None:
            raise UserError(
                f"{self.name}: seed={seed} draws nothing without share=; without it the split is fixed"
            )

    def numbers(self, label: str) -> range:
        return range(100)

    def stem(self, label: str, number: int) -> str:
        return f"{label}{number:02}"

    def held_out(self) -> Mapping[str, str]:
        splits = {self.stem(c, n): caption_split(c, n) for c in self.classes for n in range(100)}
        return {stem: split for stem, split in splits.items() if split != "train"}

    def split_of(self, label: str, held_out: Mapping[str, str] | None = None) -> dict[int, str]:
        if self.share is None:
            return {number: caption_split(label, number) for number in self.numbers(label)}
        return super().split_of(label, held_out)

    @cached_property
    def _captions(self) -> dict[int, tuple[str, ...]]:
        if not (self.root / JSON).is_file():
            return {}
        return {int(stem): captions for stem, _, captions in ucm_entries(self)}

    def absent(self, label: str, number: int) -> frozenset[str]:
        return absent_objects(UCM, label, self._captions.get(_caption_number(label, number), ()))

    def check_size(self, label: str, number: int, width: int, height: int) -> None:
        known = ODD_SIZES.get(_caption_number(label, number), (256, 256))
        # A mirror may have brought all of them to one size; an odd size in the wrong place tells of a renumbering,
        # and then nobody knows which pictures UCM-Captions tests.
        if (width, height) != known and (width, height) in ODD_SIZES.values():
            what = f"{self.stem(label, number)} has {width}×{height} px instead of {known[0]}×{known[1]}"
            raise malformed(self.home, f"{what}: the pictures are numbered differently", self.name)


def _caption_number(label: str, number: int) -> int:
    return 100 * CLASSES.index(label) + number + 1
