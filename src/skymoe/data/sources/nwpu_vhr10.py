"""NWPU VHR-10: ten classes of objects with boxes, and pictures that have none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from skymoe.data.sources.object_source import ObjectSource, hashed_split, pictures_below
from skymoe.data.sources.objects import DamagedError, RawObject, label_lines
from skymoe.sample import Sample

CLASSES = (
    "airplane", "ship", "storage tank", "baseball diamond", "tennis court", "basketball court",
    "ground track field", "harbor", "bridge", "vehicle",
)  # fmt: skip
_LINE = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*(\d+)")
POSITIVE, NEGATIVE, TRUTH = "positive image set", "negative image set", "ground truth"


class NwpuVhr10(ObjectSource):
    """NWPU VHR-10 (Cheng et al. 2014, Northwestern Polytechnical University): 800 pictures, 715 from Google Earth
    (0.5–2 m a pixel) and 85 infrared ones from Vaihingen (0.08 m); 650 with objects, 150 without.

    Layout: ``NWPU VHR-10 dataset/{positive image set,negative image set}/001.jpg`` and ``…/ground truth/001.txt``
    with lines ``(x1,y1),(x2,y2),class`` (class 1–10). No official split: here 70/10/20 by a hash of the
    picture's name.

    All objects of the ten classes are annotated, by hand: every class is counted in every picture, and the 150
    negatives have none of any.

    Licence: research use. Citation: G. Cheng, J. Han, P. Zhou, L. Guo: Multi-class geospatial object detection
    and geographic image classification based on collection of part detectors, ISPRS Journal 98, 2014. Known
    faults: blanks within the lines of the text files. Not verified here on the real files: the layout's exact
    file count.
    """

    name = "nwpu-vhr10"
    licence = "research use"
    folder = "NWPU VHR-10 dataset"
    also = ("NWPU VHR-10", "NWPU-VHR-10", "VHR-10")
    needs = (POSITIVE, NEGATIVE, TRUTH)
    where = "NWPU VHR-10 (gcheng-nwpu.github.io)"
    counts = {"train": 555, "val": 91, "test": 154}  # of 650 positives and 150 negatives, by hash
    names = {str(number): name for number, name in enumerate(CLASSES, 1)}

    def _samples(self, split: str) -> Iterator[Sample]:
        for kind, folder in (("positive", POSITIVE), ("negative", NEGATIVE)):
            found = pictures_below(self.home / folder)
            for stem, path in found.items():
                entry = f"{kind}-{stem}"
                if hashed_split(f"{self.name}/{entry}") != split:
                    continue
                label = self.home / TRUTH / f"{stem}.txt"
                try:
                    objects = read_truth(label) if kind == "positive" else []
                except DamagedError as error:
                    self.quarantine(entry, str(error))
                    continue
                yield from self.whole_or_tiles(self.picture(entry, path, split, objects, CLASSES))


def read_truth(path: Path) -> list[RawObject | DamagedError]:
    """The boxes of a text file of NWPU VHR-10, named by the number of their class."""
    found: list[RawObject | DamagedError] = []
    for line in label_lines(path):
        match = _LINE.fullmatch(line)
        if match is None:
            found.append(DamagedError(f"{path.name} has the line {line[:60]!r}, not a box and its class"))
            continue
        *corners, label = match.groups()
        found.append(RawObject(label, tuple(map(float, corners))))
    return found
