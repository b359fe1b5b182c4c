"""What the readers of object detection datasets have in common: from raw objects to samples, whole or in
tiles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from skymoe.data.sources.base import Source
from skymoe.data.sources.objects import DamagedError, RawObject, sound_region
from skymoe.data.sources.options import share, whole_number
from skymoe.data.tiles import Tiling, tiles
from skymoe.pictures import MAX_PIXELS
from skymoe.sample import XYXY, Region, Sample

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


class ObjectSource(Source):
    """A dataset of pictures with annotated objects.

    With ``side`` (pixels) larger pictures are cut into tiles that overlap by ``overlap``: `data/tiles.py`; 0
    keeps them whole.

    A picture without a sound annotation or file is quarantined by its entry. A single object that can't be used
    (no area, outside the picture, annotated twice, a class that the dataset does not have) is quarantined as
    ``entry#number``, numbered from 0; the rest of the picture is used, but its class is not counted there.
    """

    names: dict[str, str]
    """The classes: as the files write them (`plain` form) → in the project's words."""
    default_side: ClassVar[int] = 0
    """The side of the tiles when none is asked for; 0 for whole pictures."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        side: int | None = None,
        overlap: int = 200,
        empty: float = 0.1,
        smallest: float = 0.0,
    ) -> None:
        super().__init__(root)
        pixels = self.default_side if side is None else whole_number(self.name, "side", side)
        self.tiling: Tiling | None = None
        if pixels:
            self.tiling = Tiling(
                pixels,
                whole_number(self.name, "overlap", overlap),
                share(self.name, "empty", empty),
                share(self.name, "smallest", smallest),
            )

    @property
    def classes(self) -> frozenset[str]:
        """All classes in the project's words."""
        return frozenset(self.names.values())

    def picture(
        self,
        entry: str,
        path: Path,
        split: str,
        objects: Iterable[RawObject | DamagedError],
        complete: Iterable[str],
    ) -> Sample | None:
        """The sample of a whole picture; None, and the entry quarantined, when it can't be used.

        `objects` may hold the reason why one of them can't be read; `complete` are the classes that the dataset
        annotates exhaustively in this picture.
        """
        size = self.measure(path, entry)
        if size is None:
            return None
        if size[0] * size[1] > MAX_PIXELS:
            self.quarantine(entry, f"{path.name} has {size[0] * size[1]:,} pixels, more than {MAX_PIXELS:,}")
            return None
        counted = set(complete)
        regions: list[Region] = []
        seen: set[tuple[str, XYXY, tuple[float, ...] | None]] = set()
        for number, raw in enumerate(objects):
            name = None if isinstance(raw, DamagedError) else self.names.get(plain(raw.name))
            if isinstance(raw, DamagedError) or name is None:
                why = str(raw) if isinstance(raw, DamagedError) else f"the dataset has no class {raw.name!r}"
                self.quarantine(f"{entry}#{number}", why)
                counted.clear()  # whatever it was meant to be is not counted
                continue
            try:
                region = sound_region(name, raw.corners, *size, difficult=raw.difficult)
            except DamagedError as error:
                self.quarantine(f"{entry}#{number}", str(error))
                counted.discard(name)
                continue
            if (name, region.box, region.polygon) in seen:
                self.quarantine(f"{entry}#{number}", f"{name} is annotated a second time")
                continue
            seen.add((name, region.box, region.polygon))
            regions.append(region)
        return Sample(
            id=f"{self.name}/{entry}", image=str(path), source=self.name, split=split, licence=self.licence,
            width=size[0], height=size[1], regions=tuple(regions), complete=frozenset(counted),
        )  # fmt: skip

    def pairs(
        self, pictures: dict[str, Path], labels: dict[str, Path], prefix: str = ""
    ) -> Iterator[tuple[str, Path, Path]]:
        """(entry, picture, annotation) in the order of names; those that lack one of them are quarantined."""
        for name in sorted(pictures.keys() | labels.keys()):
            if name not in labels:
                self.quarantine(prefix + name, f"{pictures[name].name} has no annotation")
            elif name not in pictures:
                self.quarantine(prefix + name, f"the picture of {labels[name].name} is missing")
            else:
                yield prefix + name, pictures[name], labels[name]

    def whole_or_tiles(self, sample: Sample | None, ignored: Sequence[XYXY] = ()) -> Iterator[Sample]:
        """The sample, or its tiles where tiles are wanted."""
        if sample is not None:
            yield from tiles(sample, self.tiling, ignored) if self.tiling else (sample,)


def plain(name: str) -> str:
    """A class name without what writers disagree on: case, hyphens, underscores, spaces."""
    return re.sub(r"[\s_-]+", "", name).lower()


def named(*words: str, **others: str) -> dict[str, str]:
    """The table of classes in the project's words that the files write in the same words, and of the others."""
    return {plain(word): word for word in words} | others


def pictures_below(*folders: Path) -> dict[str, Path]:
    """The picture files of the folders and theirs, by name without suffix, in the order of names."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*"), key=lambda path: (path.stem, path.as_posix())):
            if path.suffix.lower() in PICTURES and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def hashed_split(key: str, val: float = 0.1, test: float = 0.2) -> str:
    """A split for a picture of a dataset that has none: by a hash of its name, whatever else is there."""
    share = int.from_bytes(sha256(f"skymoe/{key}".encode()).digest()[:8]) / 2**64
    return "test" if share < test else "val" if share < test + val else "train"
