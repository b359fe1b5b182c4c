"""What every source of samples has in common: where its files are, whether they are there, and how it is
checked."""

from __future__ import annotations

import inspect
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from PIL import Image

from skymoe.errors import UserError
from skymoe.sample import Sample

SPLITS = ("train", "val", "test")
Draw = Callable[[Random], Sample]


def data_root() -> Path:
    """The folder of the data sets: the environment variable SKYMOE_DATA, else `../shared/data` beside the
    checkout."""
    named = os.environ.get("SKYMOE_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "data"


@dataclass(frozen=True)
class State:
    """Whether a source's files are there; `missing` names what is not, relative to `root`."""

    name: str
    root: Path
    missing: tuple[str, ...]

    @property
    def found(self) -> bool:
        return not self.missing


class Source(ABC):
    """A data set as samples. The docstring of each subclass is the data set's card."""

    name: ClassVar[str]
    licence: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    """Files and folders without which there are no samples, relative to the data folder."""
    counts: ClassVar[dict[str, int]]
    """The number of samples of each split when everything is there."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = Path(root) if root is not None else data_root()
        self.skipped: dict[str, int] = {}
        """After reading a split: how many of its entries have no picture and were left out."""

    @property
    def card(self) -> str:
        return inspect.getdoc(type(self)) or ""

    def state(self) -> State:
        """Looks for the files, reads none."""
        missing = tuple(need for need in self.needs if not (self.root / need).exists())
        return State(self.name, self.root, missing)

    def samples(self, split: str) -> Iterator[Sample]:
        """The samples of a split, always in the same order.

        Raises UserError for an unknown split, and when files are missing, truncated or not what they should
        be.
        """
        if split not in SPLITS:
            raise UserError(f"{self.name}: there is no split {split!r}; choose one of {', '.join(SPLITS)}")
        state = self.state()
        if not state.found:
            lacking = ", ".join(state.missing)
            raise UserError(f"{self.name}: no {lacking} in {self.root}; put it there or set SKYMOE_DATA")
        return self._samples(split)

    @abstractmethod
    def _samples(self, split: str) -> Iterator[Sample]:
        """The samples of a split whose files are known to be there."""

    def training_items(self, split: str) -> Sequence[Sample | Draw]:
        """What a training walks through: the samples, or ways to draw a fresh one with a random generator."""
        return list(self.samples(split))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"


def check_counts(source: Source) -> dict[str, int]:
    """How many samples each split has; UserError where that is not the known number (a partial or another
    download)."""
    found = {split: sum(1 for _ in source.samples(split)) for split in SPLITS}
    for split, known in source.counts.items():
        if found[split] != known:
            raise UserError(
                f"{source.name}: {found[split]:,} samples in {split} instead of {known:,}; get the data set again"
            )
    return found


def picture_size(path: Path, source: str) -> tuple[int, int]:
    """Width and height from the head of a picture file of a data set; UserError when it is missing or
    damaged."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as picture:
            return picture.size
    except FileNotFoundError as error:
        raise UserError(f"{source}: picture {path} is missing; get the data set again") from error
    except Exception as error:  # Pillow's readers raise nearly anything at a damaged head
        raise UserError(f"{source}: picture {path} is damaged; get the data set again") from error


def read_json(path: Path, source: str) -> Any:
    """The content of a data set's JSON file; UserError when it is truncated or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{source}: {path} can't be read ({reason}); get the data set again") from error


def malformed(path: Path, what: str, source: str) -> UserError:
    """The error for a file that can be read but does not hold what it should."""
    return UserError(f"{source}: {path}: {what}; this is not the official format, get the data set again")
