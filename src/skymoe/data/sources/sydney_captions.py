"""Sydney-Captions: 613 pictures of Sydney with five captions each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skymoe.data.sources.captioned import Captioned, CaptionSource, karpathy_entries


class SydneyCaptions(CaptionSource):
    """Sydney-Captions (Qu et al. 2016) on the Sydney scenes (Zhang et al. 2015).

    613 pictures, 500×500 px, about 0.5 m a pixel, cut from one Google Earth picture of Sydney; five captions
    each (3,065). Official split 497/58/58 from the json, by its authors. `Sydney_captions/dataset.json` and the
    unpacked `imgs.rar` as `imgs/` (copies call it `images/`); names say .tif, copies are re-packed.

    Licence: research use. Quirks: seven scenes, but the json does not say which picture is which (no label
    here), and most are residential; captions differ little between pictures; all pictures are of one city, so
    train and test are near each other. The numbers could not be checked on the real files here.

    Cite: Qu, Li, Tao, Lu: "Deep semantic understanding of high resolution remote sensing image", CITS 2016.
    """

    name = "sydney-captions"
    licence = "research use"
    folder = "Sydney-Captions"
    also = ("Sydney_captions", "Sydney_Captions", "sydney_captions")
    needs = ("dataset.json", ("imgs", "images"))
    where = "Sydney_captions (github.com/201528014227051/RSICD_optimal)"
    counts = {"train": 497, "val": 58, "test": 58}
    totals = {"captions": {"train": 2485, "val": 290, "test": 290}}

    def entries(self, split: str) -> Iterator[Captioned]:
        return karpathy_entries(self.home / "dataset.json", self, split)

    def folders(self) -> list[Path]:
        return [self.first_of("imgs", "images")]
