"""RSITMD: 4,743 pictures with five finer captions each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from skymoe.data.sources.captioned import Captioned, CaptionSource, karpathy_entries

JSON = "dataset_RSITMD.json"
_NAMED_BY_CLASS = re.compile(r"([a-z]+)_\d+", re.IGNORECASE)


class Rsitmd(CaptionSource):
    """RSITMD, the Remote Sensing Image-Text Match Dataset (Yuan et al. 2022): 4,743 pictures, five captions each.

    256×256 px and more, from RSICD and Google Earth, with captions that tell more of each picture than RSICD's.
    Split 4,291/452 from the json, by its authors; there is no validation split. `RSITMD/images/` and
    `RSITMD/dataset_RSITMD.json`. A picture's name carries its class (`airport_10`), which is its label here; the
    closed list is those of the file.

    Licence: research use. Quirks: many pictures are RSICD's (and so AID's), on either side of either split: check
    leakage; the first release had blank sentences (left out here; a picture with nothing but those is
    quarantined). The layout is from its readme and from public readers; the numbers could not be checked on the
    real files here.

    Cite: Yuan et al.: "Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image
    Retrieval", TGRS 2022.
    """

    name = "rsitmd"
    licence = "research use"
    folder = "RSITMD"
    also = ("rsitmd",)
    needs = (JSON, "images")
    where = "RSITMD (github.com/xiaoyuan1996/AMFMN)"
    counts = {"train": 4291, "test": 452}
    splits = ("train", "test")

    def entries(self, split: str) -> Iterator[Captioned]:
        for entry in karpathy_entries(self.home / JSON, self, split):
            named = _NAMED_BY_CLASS.fullmatch(Path(entry.filename).stem)
            yield replace(entry, label=named.group(1).lower() if named else None)

    def folders(self) -> list[Path]:
        return [self.home / "images"]
