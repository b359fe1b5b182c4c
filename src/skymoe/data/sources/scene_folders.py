"""Scene data sets that are one folder a class, and the seeded splits the field cuts them into."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from skymoe.data.sources.base import SPLITS, Source, State
from skymoe.errors import UserError
from skymoe.sample import Sample
from skymoe.tasks.labels import label_key

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
VAL = 0.1
"""The share of the training pictures that is set aside as val: the field's splits have none."""


class SceneFolders(Source):
    """Pictures `<folder>/<class>/<stem><number>.<suffix>`, split class by class in the order of a hash.

    `share` is the part of every class to train on (train and val together, val being a tenth of it), `seed`
    changes the draw. Which split a picture is in follows from its class and official number alone, so that a
    partial download splits as the whole one does. Official numbers without a picture are quarantined.
    """

    places: ClassVar[tuple[str, ...]]
    """Where the class folders may lie, relative to the data folder; the official place first."""
    classes: ClassVar[tuple[str, ...]]
    """The labels, spelt as the official folders are."""
    usual_share: ClassVar[float]

    def __init__(
        self, root: str | os.PathLike[str] | None = None, *, share: float | str | None = None, seed: int = 0
    ) -> None:
        super().__init__(root)
        self.share, self.seed = self._checked(share), seed
        if self.share is not None:
            # What is officially there in another draw follows from the official numbers.
            self.counts = self._official_counts()  # type: ignore[misc]

    @abstractmethod
    def numbers(self, label: str) -> range:
        """The official numbers of the pictures of a class."""

    def stem(self, label: str, number: int) -> str:
        """The official name of a picture without suffix."""
        return f"{label}_{number:03}"

    def held_out(self) -> Mapping[str, str]:
        """The split, "val" or "test", of pictures (by stem) that another benchmark must not see trained on."""
        return {}

    def absent(self, label: str, number: int) -> frozenset[str]:
        """What is surely not in a picture."""
        return frozenset()

    def check_size(self, label: str, number: int, width: int, height: int) -> None:
        """UserError where the size shows that this is another picture than the official one."""

    @property
    def home(self) -> Path:
        """The first place with a folder of one of the classes, else the official place."""
        candidates = [self.root / place for place in self.places] + [self.root]
        return next((place for place in candidates if self._class_folders(place)), candidates[0])

    def state(self) -> State:
        home = self.home
        there = self._class_folders(home)
        missing = [label for label in self.classes if label_key(label) not in there]
        if not there:
            return State(self.name, self.root, self.places[:1], False, self.where)
        return State(self.name, home, tuple(missing), True, self.where)

    def split_of(self, label: str, held_out: Mapping[str, str] | None = None) -> dict[int, str]:
        """The split of every official number of a class."""
        held = self.held_out() if held_out is None else held_out
        numbers = self.numbers(label)
        wanted = round((self.share or self.usual_share) * len(numbers))
        free = [number for number in numbers if self.stem(label, number) not in held]
        order = sorted(free, key=lambda n: sha256(f"{self.seed}/{label_key(label)}/{n}".encode()).digest())
        seen = order[:wanted]
        split = dict.fromkeys(seen, SPLITS[0]) | dict.fromkeys(seen[: round(VAL * len(seen))], SPLITS[1])
        return {number: split.get(number, SPLITS[2]) for number in numbers}

    def _samples(self, split: str) -> Iterator[Sample]:
        there, held = self._class_folders(self.home), self.held_out()
        for label in self.classes:
            pictures = _numbered(there[label_key(label)])
            for number, its_split in self.split_of(label, held).items():
                if its_split != split:
                    continue
                stem = self.stem(label, number)
                path = pictures.get(number)
                if path is None:
                    self.quarantine(stem, f"there is no picture {stem} in the folder of {label}")
                    continue
                size = self.measure(path, stem)
                if size is None:
                    continue
                self.check_size(label, number, *size)
                yield Sample(
                    id=f"{self.name}/{stem}", image=str(path), source=self.name, split=split, licence=self.licence,
                    width=size[0], height=size[1], label=label, labels=self.classes,
                    absent=self.absent(label, number),
                )  # fmt: skip

    def _class_folders(self, place: Path) -> dict[str, Path]:
        """The folders of the classes that are in a place, by the key of the label."""
        keys = {label_key(label) for label in self.classes}
        try:
            entries = sorted(place.iterdir())
        except OSError:
            return {}
        return {key: entry for entry in entries if (key := label_key(entry.name)) in keys and entry.is_dir()}

    def _checked(self, share: float | str | None) -> float | None:
        try:
            value = None if share is None else float(share)  # the shell gives words
        except ValueError:
            value = -1.0
        if value is not None and not 0 < value < 1:
            raise UserError(f"{self.name}: share={share} is not between 0 and 1; 0.2 trains on a fifth")
        return value

    def _official_counts(self) -> dict[str, int]:
        splits = (split for label in self.classes for split in self.split_of(label).values())
        return dict.fromkeys(SPLITS, 0) | Counter(splits)


def _numbered(folder: Path) -> dict[int, Path]:
    """The pictures of a class folder by the number their name ends in."""
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = re.search(r"(\d{1,6})$", path.stem)
        if match and path.suffix.lower() in SUFFIXES:
            found.setdefault(int(match[1]), path)
    return found
