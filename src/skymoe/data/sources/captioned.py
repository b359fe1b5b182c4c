"""What captioned data sets have in common: the "Karpathy" json, and pictures found whatever their suffix."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import Source, read_json
from skymoe.data.sources.records import each_record, plain_name, top_level
from skymoe.sample import Sample

_ODD_SPACE = re.compile(r"[^\S ]+")
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True, slots=True)
class Captioned:
    """One picture of an annotation file."""

    filename: str
    split: str
    captions: tuple[str, ...]
    label: str | None = None


class CaptionSource(Source):
    """Pictures with captions; a subclass reads its annotation file and says where its pictures are."""

    @abstractmethod
    def entries(self, split: str) -> Iterator[Captioned]:
        """All pictures of the annotation file, in its order; damaged entries of `split` are quarantined."""

    @abstractmethod
    def folders(self) -> Sequence[Path]:
        """Where the pictures are, the best place first."""

    def _samples(self, split: str) -> Iterator[Sample]:
        entries = list(self.entries(split))
        labels = tuple(sorted({entry.label for entry in entries if entry.label}))
        pictures = PictureFinder(self.folders())
        for entry in entries:
            if entry.split != split:
                continue
            if not entry.captions:
                self.quarantine(entry.filename, "its captions are empty")
                continue
            path = pictures.path(entry.filename, entry.label)
            size = self.measure(path, entry.filename)
            if size is None:
                continue
            yield Sample(
                id=f"{self.name}/{Path(entry.filename).stem}", image=str(path), source=self.name, split=split,
                licence=self.licence, width=size[0], height=size[1], captions=entry.captions, label=entry.label,
                labels=labels if entry.label else (),
            )  # fmt: skip


def karpathy_entries(path: Path, source: Source, split: str | None = None) -> Iterator[Captioned]:
    """The entries of a json `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`; damaged ones of `split`
    are quarantined.

    Raises UserError where the file is truncated or of another form.
    """
    records = top_level(read_json(path, source.name), "images", path, source)
    yield from each_record(records, path, source, split, _karpathy)


def _karpathy(record: dict[str, Any]) -> Captioned:
    captions = tidy(sentence["raw"] for sentence in record["sentences"])
    return Captioned(plain_name(record["filename"]), record["split"], captions)


def tidy(sentences: Iterable[str]) -> tuple[str, ...]:
    """The sentences without blank ones, which some data sets hold; line breaks and other odd white space inside
    become spaces."""
    return tuple(plain for sentence in sentences if (plain := _ODD_SPACE.sub(" ", sentence).strip()))


class PictureFinder:
    """Finds a picture by its name, else by its stem (copies are re-packed with other suffixes), in the folders
    or in the folder of its class below them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def path(self, filename: str, label: str | None = None) -> Path:
        """Where the picture is; where there is none, the place where it should be."""
        stem = Path(filename).stem
        for folder in self._folders:
            for place in (folder, folder / label) if label else (folder,):
                if (names := self._names(place).get(stem)) is not None:
                    return place / (filename if filename in names else names[0])
        return self._folders[0] / filename

    def stems(self, folder: Path) -> list[str]:
        """The pictures in one of the folders, without suffix, sorted."""
        return sorted(self._names(folder))

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            found = self._listed[folder] = {}
            for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in PICTURES:
                    found.setdefault(stem, []).append(name)
        return self._listed[folder]
