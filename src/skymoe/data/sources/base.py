"""What every source of samples has in common: where its files are, whether they are there, and how it is
checked."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

from skymoe.data.sources.reading import PictureError, malformed, picture_size, read_json
from skymoe.errors import UserError
from skymoe.sample import Sample

SPLITS = ("train", "val", "test")
Draw = Callable[[Random], Sample]
Need = str | tuple[str, ...]
"""A file or folder, or several of which one is enough (the layouts of different downloads); `*` is a wildcard."""


def data_root() -> Path:
    """The folder of the data sets: the environment variable SKYMOE_DATA, else `../shared/data` beside the
    checkout."""
    named = os.environ.get("SKYMOE_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An entry of a data set of which no sample could be made, and why."""

    entry: str
    reason: str


@dataclass(frozen=True)
class State:
    """Whether a source's files are there; `missing` names what is not, relative to `root`."""

    name: str
    root: Path
    missing: tuple[str, ...]
    partly: bool = False
    """Something of it is there."""
    where: str = ""
    """Where the data set can be had."""

    @property
    def found(self) -> bool:
        return not self.missing

    @property
    def verdict(self) -> Literal["found", "incomplete", "absent"]:
        return "found" if self.found else "incomplete" if self.partly else "absent"

    @property
    def remedy(self) -> str:
        """What to do about it; empty when everything is there."""
        if self.found:
            return ""
        if self.partly:
            return f"{', '.join(self.missing)} missing in {self.root}: unpack again or get the rest"
        return f"get {self.where or 'the data set'} and unpack it so that {self.root} has {', '.join(self.missing)}"


class Source(ABC):
    """A data set as samples. The docstring of each subclass is the data set's card."""

    name: ClassVar[str]
    licence: ClassVar[str]
    folder: ClassVar[str] = ""
    """The data set's own folder below the data folder; `needs` and `home` are relative to it."""
    also: ClassVar[tuple[str, ...]] = ()
    """Other names that folder goes by in downloads and copies."""
    needs: ClassVar[tuple[Need, ...]]
    """Files and folders without which there are no samples."""
    where: ClassVar[str] = ""
    """Where the data set can be had: what `skymoe data list` tells those who lack it."""
    counts: ClassVar[dict[str, int]] = {}
    """The official number of samples of each split."""
    totals: ClassVar[dict[str, dict[str, int]]] = {}
    """Further official numbers by split: "questions", "expressions", "regions" or "captions" of all samples."""
    splits: tuple[str, ...] = SPLITS
    """The splits the data set has; some lack one, some have more."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = Path(root) if root is not None else data_root()
        self.quarantined: list[Quarantined] = []
        """While and after reading a split: its entries of which no sample could be made."""

    @property
    def home(self) -> Path:
        """The data set's own folder: `root/folder`, or `root` itself when that is what was given."""
        for name in (self.folder, *self.also):
            if (self.root / name).is_dir():
                return self.root / name
        given = any(_present(self.root, need) for need in self.needs)
        return self.root if given else self.root / self.folder

    def first_of(self, *paths: str) -> Path:
        """The first of these paths below `home` that is there, else the first."""
        home = self.home
        return next((home / path for path in paths if (home / path).exists()), home / paths[0])

    @classmethod
    def about(cls) -> str:
        """The card: what the data set is, and where it can be had."""
        text = inspect.getdoc(cls) or ""
        return f"{text}\n\nGet it: {cls.where}." if cls.where else text

    @property
    def card(self) -> str:
        return self.about()

    def state(self) -> State:
        """Looks for the files, reads none."""
        home = self.home
        missing = tuple(_words(need) for need in self.needs if not _present(home, need))
        partly = len(missing) < len(self.needs) or (
            bool(self.folder) and home.is_dir() and any(home.iterdir())
        )
        return State(self.name, home, missing, partly, self.where)

    def samples(self, split: str) -> Iterator[Sample]:
        """The samples of a split, always in the same order.

        Damaged entries are left out and named in `quarantined`, which is emptied when reading begins. Raises
        UserError for an unknown split, and when annotation files are missing, truncated or not what they
        should be.
        """
        if split not in self.splits:
            raise UserError(
                f"{self.name}: there is no split {split!r}; choose one of {', '.join(self.splits)}"
            )
        state = self.state()
        if not state.found:
            lacking = ", ".join(state.missing)
            raise UserError(f"{self.name}: no {lacking} in {state.root}; put it there or set SKYMOE_DATA")
        return self._fresh(split)

    def _fresh(self, split: str) -> Iterator[Sample]:
        self.quarantined = []
        yield from self._samples(split)

    @abstractmethod
    def _samples(self, split: str) -> Iterator[Sample]:
        """The samples of a split whose files are known to be there."""

    def quarantine(self, entry: str, reason: str) -> None:
        """Record that an entry gives no sample: what comes in is what goes out and what is recorded here.

        A part of an entry, such as one object of a picture that gives a sample without it, is `entry#part`.
        """
        self.quarantined.append(Quarantined(entry, " ".join(reason.split())))

    def measure(self, path: Path, entry: str) -> tuple[int, int] | None:
        """Width and height of an entry's picture; None, and the entry quarantined, when it has none that
        opens."""
        try:
            return picture_size(path, self.name)
        except PictureError as error:
            self.quarantine(entry, error.reason)
            return None

    def whole_pictures(self, split: str) -> tuple[int, int] | None:
        """Of a data set that is read as tiles: how many whole pictures the split has here and officially.

        None where samples are counted, or no official number applies.
        """
        return None

    def training_items(self, split: str) -> Sequence[Sample | Draw]:
        """What a training walks through: the samples, or ways to draw a fresh one with a random generator."""
        return list(self.samples(split))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"


def _present(home: Path, need: Need) -> bool:
    options = (need,) if isinstance(need, str) else need
    return any(
        next(home.glob(option), None) is not None if "*" in option else (home / option).exists()
        for option in options
    )


def _words(need: Need) -> str:
    return need if isinstance(need, str) else " or ".join(need)


__all__ = ["SPLITS", "Draw", "Need", "PictureError", "Quarantined", "Source", "State", "data_root", "malformed",
           "picture_size", "read_json"]  # fmt: skip
