"""UCM-Captions: 2,100 pictures of UC Merced with five captions each, their class, and RSIVQA's human
questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skymoe.data.absence import UCM, absent_objects
from skymoe.data.sources.base import Source
from skymoe.data.sources.captioned import karpathy_entries
from skymoe.data.sources.question_files import read_questions
from skymoe.sample import Sample

CLASSES = (
    "agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral", "denseresidential", "forest",
    "freeway", "golfcourse", "harbor", "intersection", "mediumresidential", "mobilehomepark", "overpass", "parkinglot",
    "river", "runway", "sparseresidential", "storagetanks", "tenniscourt",
)  # fmt: skip
FOLDER, OFFICIAL = "UCM-Captions", "UCM_captions"
JSON = f"{FOLDER}/dataset.json"
UCM_NEEDS = ((JSON, f"{OFFICIAL}/dataset.json"), (f"{FOLDER}/imgs", f"{OFFICIAL}/imgs"))
HUMAN = ("RSIVQA/ucm_res.txt", "RSIVQA/UCM/ucm_res.txt", "RSIVQA/RSIVQA/UCM/ucm_res.txt")
"""RSIVQA's human questions in the flat copy, in its folder `RSIVQA`, and in the whole repository."""


def ucm_home(source: Source) -> Path:
    """The folder of UCM-Captions, as it is called here or as its archive calls it."""
    official = source.root / OFFICIAL
    return official if official.is_dir() and not (source.root / FOLDER).is_dir() else source.root / FOLDER


def ucm_entries(source: Source, split: str | None = None) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(stem, split, captions) of every picture in the order of the file; damaged entries of `split` (of all, when
    none is named) are quarantined."""
    path = ucm_home(source) / "dataset.json"
    for entry in karpathy_entries(path, source, split):
        stem = Path(entry.filename).stem
        if stem.isdecimal() and 1 <= int(stem) <= 100 * len(CLASSES):
            yield stem, entry.split, entry.captions
        elif split in (None, entry.split):
            source.quarantine(entry.filename, "there is no such picture in UC Merced")


def ucm_pictures(source: Source) -> dict[str, Path]:
    """The picture files by name without suffix: the json says .tif, copies are re-packed as .jpg or .png."""
    folder = ucm_home(source) / "imgs"
    suffixes = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes}


def ucm_picture(source: Source, stem: str, pictures: dict[str, Path]) -> dict[str, Any] | None:
    """The fields of a Sample that say which picture it is; None, and the entry quarantined, when none opens."""
    path = pictures.get(stem, ucm_home(source) / "imgs" / f"{stem}.tif")
    size = source.measure(path, stem)
    return size and {"image": str(path), "width": size[0], "height": size[1]}


def ucm_class(stem: str) -> str:
    """The class of picture "1" … "2100": a hundred of each, in alphabetical order."""
    return CLASSES[(int(stem) - 1) // 100]


class UcmCaptions(Source):
    """UCM-Captions (Qu et al. 2016) on the UC Merced Land Use pictures (Yang and Newsam 2010).

    2,100 pictures, 256×256 px (44 of them a few pixels smaller or larger), about 0.3 m a pixel, US cities;
    five captions each. Official split 1,680/210/210 from the json, by its authors. The 21 classes follow from the
    picture's number. The human questions of RSIVQA (`ucm_res.txt`, 2,795 on 559 of the pictures) join the pictures
    where the file is there. `absent` holds what is surely not in a scene of this class (`data/absence.py`).

    Licence: pictures public domain (USGS National Map Urban Area Imagery), captions and questions for
    research. Quirks: captions repeat often (a picture's five are nearly the same); "vertically" means at
    right angles; `There is a piece of farmland` is tokenised as "formland" in the json's tokens, so the raw
    sentences are used.

    Cite: Qu, Li, Tao, Lu: "Deep semantic understanding of high resolution remote sensing image", CITS 2016;
    Yang, Newsam: "Bag-of-visual-words and spatial extensions for land-use classification", ACM GIS 2010.
    """

    name = "ucm-captions"
    where = "UCM_captions (github.com/201528014227051/RSICD_optimal)"
    licence = "images public domain (USGS); captions for research use"
    needs = UCM_NEEDS
    counts = {"train": 1680, "val": 210, "test": 210}

    def _samples(self, split: str) -> Iterator[Sample]:
        human, pictures = self.first_of(*HUMAN), ucm_pictures(self)
        questions = read_questions(human, self) if human.is_file() else {}
        for stem, its_split, captions in ucm_entries(self, split):
            if its_split != split:
                continue
            if not captions:
                self.quarantine(stem, "its captions are empty")
                continue
            picture = ucm_picture(self, stem, pictures)
            if picture is None:
                continue
            label, asked = ucm_class(stem), questions.get(stem, ())
            said = [*captions, *(q.text for q in asked if q.answer not in ("no", "zero", "i cannot see it"))]
            yield Sample(
                id=f"ucm/{stem}", source=self.name, split=split, licence=self.licence, captions=captions,
                label=label, labels=CLASSES, questions=asked, absent=absent_objects(UCM, label, said),
                **picture,
            )  # fmt: skip
