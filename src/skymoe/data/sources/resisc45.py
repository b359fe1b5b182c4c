"""NWPU-RESISC45: 31,500 pictures of 45 scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from skymoe.data.sources.base import SPLITS, malformed, read_json
from skymoe.data.sources.nwpu_captions import JSON as CAPTIONS
from skymoe.data.sources.nwpu_captions import NwpuCaptions
from skymoe.data.sources.scene_folders import SceneFolders

CLASSES = (
    "airplane", "airport", "baseball_diamond", "basketball_court", "beach", "bridge", "chaparral", "church",
    "circular_farmland", "cloud", "commercial_area", "dense_residential", "desert", "forest", "freeway",
    "golf_course", "ground_track_field", "harbor", "industrial_area", "intersection", "island", "lake", "meadow",
    "medium_residential", "mobile_home_park", "mountain", "overpass", "palace", "parking_lot", "railway",
    "railway_station", "rectangular_farmland", "river", "roundabout", "runway", "sea_ice", "ship", "snowberg",
    "sparse_residential", "stadium", "storage_tank", "tennis_court", "terrace", "thermal_power_station", "wetland",
)  # fmt: skip


class Resisc45(SceneFolders):
    """NWPU-RESISC45 (Cheng, Han and Lu 2017): 31,500 pictures of 45 scene classes, 700 a class.

    256×256 px, Google Earth, 0.2–30 m a pixel, more than 100 countries. `<class>/<class>_001.jpg` …
    `_700.jpg` in `NWPU-RESISC45/`. No official split: the field draws 10 or 20 % of every class to train on
    (10/90, 20/80) with seeds of its own, so results are only comparable up to the draw. Here `share=0.2` (the
    default) or `0.1`, `seed=0`; val is a tenth of the training part: 5,670/630/25,200.

    NWPU-Captions describes the same pictures. Where its `dataset_nwpu.json` is there, none of its val and
    test pictures is drawn for training: the numbers stay, the draw is another one.

    Licence: research use. Citation: G. Cheng, J. Han, X. Lu, "Remote Sensing Image Scene Classification:
    Benchmark and State of the Art", Proc. IEEE 105(10), 2017. Known faults: many of the classes overlap
    (palace and church, railway and railway station, the three residential ones); "ship" and "airplane" are
    objects, not scenes; some pictures nearly repeat each other, or show a place that AID shows, too.
    """

    name = "resisc45"
    licence = "research use"
    places = ("NWPU-RESISC45", "NWPU-RESISC45/NWPU-RESISC45", "RESISC45")
    needs = places[:1]
    where = "NWPU-RESISC45 (https://gcheng-nwpu.github.io)"
    classes = CLASSES
    usual_share = 0.2
    counts = {"train": 5670, "val": 630, "test": 25200}

    def numbers(self, label: str) -> range:
        return range(1, 701)

    def held_out(self) -> Mapping[str, str]:
        for root in (self.root, self.home.parent):
            path = NwpuCaptions(root).home / CAPTIONS
            if path.is_file():
                return _caption_splits(path, self.name)
        return {}


def _caption_splits(path: Path, source: str) -> dict[str, str]:
    """The val and test pictures of NWPU-Captions by stem: {class: [{"filename", "split", …}]}."""
    content = read_json(path, source)
    try:
        entries = [entry for entries in content.values() for entry in entries]
        splits = {Path(entry["filename"]).stem: str(entry["split"]) for entry in entries}
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(path, f"a picture's entry lacks {error}", source) from error
    return {stem: split for stem, split in splits.items() if split != SPLITS[0]}
