"""RSICD: 10,921 captioned pictures, 10,000 of them found again inside AID."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skymoe.data.absence import AID, absent_objects
from skymoe.data.sources.base import Source, read_json
from skymoe.data.sources.captioned import tidy
from skymoe.data.sources.records import each_record, plain_name, top_level
from skymoe.sample import XYXY, Sample

CLASSES = tuple(AID)
JSON = "RSICD/dataset_rsicd.json"
JSONS = (JSON, "RSICD/annotations_rsicd/dataset_rsicd.json")
OFFICIAL_IMAGES = "RSICD/RSICD_images"
AID_FOLDER = "AID"
_BY_NAME = {label.lower(): label for label in CLASSES}
CENTRE = 131 / 150
"""The RSICD picture is this share of the AID one, around its centre."""


@dataclass(frozen=True)
class RsicdEntry:
    """One picture of the json; `aid` is the path of the AID picture it was cut from, where that is known."""

    filename: str
    split: str
    captions: tuple[str, ...]
    aid: str | None

    @property
    def label(self) -> str | None:
        return Path(self.aid).parent.name if self.aid else None


def rsicd_entries(source: Source, split: str | None = None) -> Iterator[RsicdEntry]:
    """The entries of the json in its order; damaged ones of `split` (of all, when none is named) are
    quarantined."""
    path = next((source.root / json for json in JSONS if (source.root / json).is_file()), source.root / JSON)
    records = top_level(read_json(path, source.name), "images", path, source)
    yield from each_record(records, path, source, split, _entry)


def _entry(record: dict[str, Any]) -> RsicdEntry:
    filename = plain_name(record["filename"])
    captions = tidy(sentence["raw"] for sentence in record["sentences"])
    aid = record["image"] if "image" in record else aid_picture(filename)
    if aid is not None and (aid.startswith("/") or ".." in Path(aid).parts):
        raise ValueError(f"{aid!r} leads out of the folder")
    return RsicdEntry(filename, record["split"], captions, aid)


def aid_picture(filename: str) -> str | None:
    """The AID picture an RSICD picture was cut from: the official json does not say it, but the names are AID's
    ("airport_1.jpg"); None for the pictures with a number only."""
    label = _BY_NAME.get(filename.rpartition("_")[0])
    return f"{AID_FOLDER}/{label}/{filename}" if label else None


def rsicd_picture(source: Source, entry: RsicdEntry) -> dict[str, Any] | None:
    """The fields of a Sample that say which picture it is: the official file, else the centre of AID's.

    None, and the entry quarantined, where there is neither or the file is damaged.
    """
    official = source.root / OFFICIAL_IMAGES / entry.filename
    if official.is_file():
        size = source.measure(official, entry.filename)
        return size and {"image": str(official), "width": size[0], "height": size[1]}
    if entry.aid is None:
        source.quarantine(entry.filename, f"no picture: it is not in {OFFICIAL_IMAGES}, and not in AID")
        return None
    path = source.root / AID_FOLDER / entry.aid.removeprefix("AID/")
    size = source.measure(path, entry.filename)
    return size and {"image": str(path), **_centre(*size)}


def _centre(width: int, height: int) -> dict[str, Any]:
    inner = round(width * CENTRE), round(height * CENTRE)
    left, top = (width - inner[0]) / 2, (height - inner[1]) / 2
    window: XYXY = (left, top, left + inner[0], top + inner[1])
    return {"width": inner[0], "height": inner[1], "window": window}


class Rsicd(Source):
    """RSICD (Lu et al. 2018): 10,921 pictures with five captions each, split 8,734/1,094/1,093 by its authors.

    Of the official pictures (224×224 px), 10,000 are the centre 131/150 of a picture of AID; here they are
    read from AID (150 px: windows of 131 px) unless `RSICD/RSICD_images` is there. The 921 others (788/67/66)
    have no picture then and are quarantined: samples 7,946/1,027/1,027. Report results as "RSICD (1,027 of
    1,093 test images, 150 px source)". The AID class of the picture is its label; `absent` follows from it
    (`data/absence.py`).

    Licence: research use (captions and pictures). Quirks: sentences are repeated to reach five (kept: they
    change CIDEr); many typing mistakes; neighbouring numbers of one AID class are often near-duplicates
    (overlapping crops of one place), on both sides of the official split.

    Cite: Lu, Wang, Zheng, Li: "Exploring models and data for remote sensing image caption generation", IEEE TGRS
    56(4), 2018.
    """

    name = "rsicd"
    licence = "research use"
    where = "RSICD (github.com/201528014227051/RSICD_optimal)"
    needs = (JSONS, (OFFICIAL_IMAGES, AID_FOLDER))
    counts = {"train": 8734, "val": 1094, "test": 1093}

    def _samples(self, split: str) -> Iterator[Sample]:
        for entry in rsicd_entries(self, split):
            if entry.split != split:
                continue
            if not entry.captions:
                self.quarantine(entry.filename, "its captions are empty")
                continue
            picture = rsicd_picture(self, entry)
            if picture is None:
                continue
            label = entry.label
            yield Sample(
                id=f"rsicd/{Path(entry.filename).stem}", source=self.name, split=split, licence=self.licence,
                captions=entry.captions, label=label, labels=CLASSES if label else (),
                absent=absent_objects(AID, label, entry.captions) if label else frozenset(), **picture,
            )  # fmt: skip
