"""AID: 10,000 pictures of 30 scenes, split as RSICD splits the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skymoe.data.absence import AID, absent_objects
from skymoe.data.sources.base import Source
from skymoe.data.sources.rsicd import AID_FOLDER, CLASSES, JSONS, rsicd_entries
from skymoe.sample import Sample


class Aid(Source):
    """AID (Xia et al. 2017): 10,000 pictures of 30 scene classes, 220–420 a class, Google Earth, 0.5–8 m a
    pixel.

    Officially 600×600 px; sizes are read from the files (the copy for development is 150×150). AID has no
    official split (the field uses seeded 50/50 or 20/80). Because RSICD captions the same pictures, a picture
    here belongs to the split that RSICD gives it (7,946/1,027/1,027), so that no RSICD validation or test
    picture is trained on; pictures RSICD does not know would go to train. `absent` follows from the class,
    less what the picture's RSICD captions name.

    Licence: research use. Quirks: neighbouring numbers of a class are often near-duplicates; "Center" is a
    round or large public building, "Square" a town square, "Resort", "School" and "Park" are hard to tell
    apart for people, too.

    Cite: Xia et al.: "AID: a benchmark data set for performance evaluation of aerial scene classification", IEEE
    TGRS 55(7), 2017.
    """

    name = "aid"
    licence = "research use"
    where = "AID (captain-whu.github.io/AID) and RSICD's json"
    needs = (AID_FOLDER, JSONS)
    counts = {"train": 7946, "val": 1027, "test": 1027}

    def _samples(self, split: str) -> Iterator[Sample]:
        known = {entry.aid: entry for entry in rsicd_entries(self, split) if entry.aid}
        missing = {aid for aid, entry in known.items() if entry.split == split}
        for label in CLASSES:
            folder = self.root / AID_FOLDER / label
            if not folder.is_dir():
                continue
            for path in sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name)):
                if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".tif"):
                    continue
                entry = known.get(f"{AID_FOLDER}/{label}/{path.stem}.jpg")
                missing.discard(f"{AID_FOLDER}/{label}/{path.stem}.jpg")
                if (entry.split if entry else "train") != split:
                    continue
                size = self.measure(path, path.stem)
                if size is None:
                    continue
                yield Sample(
                    id=f"aid/{path.stem}", image=str(path), source=self.name, split=split, licence=self.licence,
                    width=size[0], height=size[1], label=label, labels=CLASSES,
                    absent=absent_objects(AID, label, entry.captions if entry else ()),
                )  # fmt: skip
        for aid in sorted(missing):
            self.quarantine(Path(aid).stem, f"picture {Path(aid).name} is missing")
