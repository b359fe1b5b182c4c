"""NWPU-Captions: the 31,500 pictures of NWPU-RESISC45 with five captions each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import malformed, read_json
from skymoe.data.sources.captioned import Captioned, CaptionSource, tidy
from skymoe.data.sources.records import each_record, plain_name

JSON = "dataset_nwpu.json"
SENTENCES = ("raw", "raw_1", "raw_2", "raw_3", "raw_4")
PLACES = ("NWPU_images", "NWPU_images/NWPU_images", "images")
RESISC45 = "NWPU-RESISC45"


class NwpuCaptions(CaptionSource):
    """NWPU-Captions (Cheng et al. 2022): five captions on each picture of NWPU-RESISC45 (Cheng et al. 2017).

    31,500 pictures, 256×256 px, 0.2–30 m a pixel, 45 scenes of 700 pictures; 157,500 captions by seven people.
    Split 25,200/3,150/3,150 from the json, by its authors. `dataset_nwpu.json` maps each class to its pictures
    (`raw`, `raw_1` … `raw_4`); the unpacked `NWPU_images.tar.gz` has a folder for each class. Pictures that are
    not there are taken from `NWPU-RESISC45/` beside it: they are the same. The class is the label.

    Licence: research use. Quirks: `airplane_111.jpg` is in the json but not in the archive on GitHub (issue 2
    there; it is quarantined unless NWPU-RESISC45 is there); the captions' spelling is rough, and white space of
    all kinds stands in them (made plain here). The split is not the one of NWPU-RESISC45's benchmarks: check
    leakage. The numbers could not be checked on the real files here.

    Cite: Cheng et al.: "NWPU-Captions Dataset and MLCA-Net for Remote Sensing Image Captioning", TGRS 2022.
    """

    name = "nwpu-captions"
    licence = "research use"
    folder = "NWPU-Captions"
    also = ("NWPU_Captions", "nwpu_captions")
    needs = (JSON, (*PLACES, f"../{RESISC45}"))
    where = "NWPU-Captions (github.com/HaiyanHuang98/NWPU-Captions)"
    counts = {"train": 25200, "val": 3150, "test": 3150}
    totals = {"captions": {"train": 126000, "val": 15750, "test": 15750}}

    def entries(self, split: str) -> Iterator[Captioned]:
        path = self.home / JSON
        content = read_json(path, self.name)
        if not isinstance(content, dict) or not content:
            raise malformed(path, "it has no classes", self.name)
        for label, records in content.items():
            yield from each_record(records, path, self, split, partial(_entry, label))

    def folders(self) -> list[Path]:
        return [self.first_of(*PLACES), self.home.parent / RESISC45, self.home.parent / RESISC45 / RESISC45]


def _entry(label: str, record: dict[str, Any]) -> Captioned:
    captions = tidy(record[key] for key in SENTENCES if key in record)
    return Captioned(plain_name(record["filename"]), record["split"], captions, plain_name(label))
