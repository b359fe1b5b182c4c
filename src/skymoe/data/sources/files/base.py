"""What the readers of users' own files have in common: options, splits, and the way from an entry to a sample."""

from __future__ import annotations

import inspect
import math
import os
import posixpath
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from skymoe.data.sources.base import SPLITS, Source, State
from skymoe.data.sources.files.pictures import SUFFIXES, Picture, PictureFolder
from skymoe.data.sources.objects import DamagedError, sound_region
from skymoe.errors import UserError
from skymoe.sample import Region, Sample
from skymoe.tasks.labels import label_words
from skymoe.tasks.wording import singularise

StrPath = str | os.PathLike[str]
SHARES = (0.8, 0.1, 0.1)
_SPLIT_WORDS = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}
_SPLIT_WORDS |= {split: split for split in SPLITS}
_LONGEST_NAME = 100
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture as the annotations have it.

    ``name`` is the file's name there, ``id`` what the quarantine calls it (default: the name), ``split`` its
    own split where the data say so, ``content`` what the reader makes of it, ``damage`` why nothing can be.
    """

    name: str
    content: Any = None
    split: str | None = None
    id: str = ""
    damage: str = ""

    @property
    def key(self) -> str:
        return self.id or self.name


class FileSource(Source):
    """Files of a user. Paths are relative to `root`, by default the current folder.

    Options of all formats:

    * `split`: "train", "val" or "test" puts everything there. By default data that have splits keep them,
      others are split by a hash of the picture's name into `shares` (0.8, 0.1, 0.1); `seed` changes the draw.
      `group`, a regular expression, keeps together the pictures in whose names it finds the same
      ("^(P\\d+)_" the tiles of a scene).
    * `exhaustive`: every object of every class is annotated, so that counts and absences are true. With
      False nothing is counted and nothing is said to be absent.
    * `called`: the name of this data set in ids and in the corpus; `licence`: its licence.
    * `follow_links`: links may lead out of the image folder.

    An entry that can't be used is quarantined; a single object as `picture#object`, and then its class is
    not counted in that picture. Nothing is dropped in silence.
    """

    licence = "not stated"
    needs = ()
    where = "your own files"

    def __init_subclass__(cls) -> None:
        """Makes the options of all formats visible in the signature, for `get_source` and `skymoe data list`."""
        super().__init_subclass__()
        own, common = (
            inspect.signature(cls.__init__).parameters,
            inspect.signature(FileSource.__init__).parameters,
        )
        taken = {
            name: p for name, p in (own | common).items() if p.kind is not p.VAR_KEYWORD and name != "self"
        }
        cls.__signature__ = inspect.Signature(list(taken.values()))  # type: ignore[attr-defined]

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        split: str | None = None,
        shares: Sequence[float] | str = SHARES,
        seed: int = 0,
        group: str | None = None,
        exhaustive: bool = True,
        called: str | None = None,
        licence: str | None = None,
        follow_links: bool = False,
        **unknown: Any,
    ) -> None:
        super().__init__("." if root is None else root)
        if unknown:
            known = ", ".join(list(inspect.signature(type(self)).parameters)[1:])
            raise UserError(f"{self.name}: there is no option {min(unknown)!r}; it takes {known}")
        # Class variables say what is true of a format; a user's own name and licence are of this source only.
        if called is not None:
            self.name = self._file_name(called)  # type: ignore[misc]
        if licence is not None:
            self.licence = licence  # type: ignore[misc]
        self.split = None if split is None else self._known_split(split)
        self.shares, self.seed, self.group = self._checked_shares(shares), seed, self._pattern(group)
        self._folders: dict[Path, PictureFolder] = {}
        self.exhaustive = self.flag("exhaustive", exhaustive)
        self.follow_links = self.flag("follow_links", follow_links)

    @abstractmethod
    def places(self) -> list[Path]:
        """The files and folders that must be there."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """All entries of all splits, always in the same order."""

    @abstractmethod
    def folder_of(self, entry: Entry) -> PictureFolder:
        """Where the entry's picture is."""

    def picture(self, entry: Entry) -> Picture:
        """The entry's picture file; DamagedError where there is none that can be used."""
        return self.folder_of(entry).find(entry.name)

    @abstractmethod
    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        """What is known of the picture, as fields of a Sample. Raises DamagedError for a damaged entry."""

    def state(self) -> State:
        missing = tuple(str(place) for place in self.places() if not place.exists())
        return State(self.name, self.root, missing, len(missing) < len(self.places()), self.where)

    def samples(self, split: str) -> Iterator[Sample]:
        state = self.state()
        if state.missing:
            raise UserError(
                f"{self.name}: there is no {state.missing[0]}; give its path as seen from {self.root}"
            )
        return super().samples(split)

    def _samples(self, split: str) -> Iterator[Sample]:
        seen: set[str] = set()
        for entry in self.entries():
            again = entry.key in seen
            seen.add(entry.key)
            if self.split_of(entry) != split:
                continue
            try:
                if entry.damage or again:
                    raise DamagedError(entry.damage or "is listed a second time")
                picture = self.picture(entry)
                known = self.describe(entry, picture)
            except DamagedError as error:
                self.quarantine(_printable(entry.key), _printable(str(error)))
                continue
            yield Sample(
                **{
                    "id": f"{self.name}/{entry.key}", "image": str(picture.path), "source": self.name, "split": split,
                    "licence": self.licence, "width": picture.width, "height": picture.height, **known,
                }
            )  # fmt: skip

    def split_of(self, entry: Entry) -> str:
        """The split of an entry: the option, else the data's own, else by hash of the picture's name."""
        if self.split or entry.split:
            return self.split or cast(str, entry.split)
        # One picture has one split, however its name is written.
        name = posixpath.normpath((entry.name or entry.key).strip().replace("\\", "/"))
        stem, suffix = posixpath.splitext(name)
        name = stem if suffix.lower() in SUFFIXES else name
        if self.group and (match := self.group.search(name)):
            name = match[1] if self.group.groups else match[0]
        share = int.from_bytes(sha256(f"{self.seed}/{name}".encode(errors="replace")).digest()[:8]) / 2**64
        train, val, _ = self.shares
        return SPLITS[0] if share < train else SPLITS[1] if share < train + val else SPLITS[2]

    def objects(
        self, entry: Entry, picture: Picture, found: Iterator[tuple[str, str, Any]], names: Sequence[str]
    ) -> dict[str, Any]:
        """`regions`, `complete` and `absent` from (number, class name or "", how to get its corners).

        The third is called and gives (corners, difficult), None for an object that only says that its class
        can't be counted here. `names` are all the classes of the data.
        """
        regions: list[Region] = []
        uncounted: set[str] = set()
        for number, name, corners in found:
            key = f"{entry.key}#{number}"
            try:
                if not name:
                    raise DamagedError("the object has no known class")
                got = corners()
                if got is None:
                    uncounted.add(name)
                    continue
                region = sound_region(name, got[0], picture.width, picture.height, difficult=got[1])
            except DamagedError as error:
                self.quarantine(key, str(error))
                # Whatever an object without class was meant to be is not counted.
                uncounted.update([name] if name else names)
                continue
            if region in regions:
                self.quarantine(key, f"{name} is annotated a second time")
            else:
                regions.append(region)
        there = {region.name for region in regions}
        known = set(names) - uncounted if self.exhaustive else set()
        return {
            "regions": tuple(regions),
            "complete": frozenset(known & there),
            "absent": frozenset(known - there),
        }

    def pictures_in(self, folder: Path) -> PictureFolder:
        """The pictures below a folder; what is known of it is kept."""
        if folder not in self._folders:
            self._folders[folder] = PictureFolder(folder, self.follow_links)
        return self._folders[folder]

    def path(self, place: StrPath) -> Path:
        """A path of an option, relative to `root`."""
        try:
            path = self.root / Path(place).expanduser()
            path.exists()  # a name too long, or with a zero byte in it, can't even be looked for
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            shown = shortened(place)
            raise UserError(f"{self.name}: {shown} is no path; give a file or a folder") from error
        return path

    def flag(self, option: str, value: object) -> bool:
        """An option that is true or false; the shell gives it as a word."""
        word = str(value).strip().lower()
        if word not in _FLAGS:
            raise UserError(f"{self.name}: {option}={value!r} is neither true nor false; give one of them")
        return _FLAGS[word]

    def by_split(self, option: str, value: StrPath | Mapping[str, StrPath]) -> dict[str | None, Path]:
        """An option that is one path, or one for each split."""
        if not isinstance(value, Mapping):
            return {None: self.path(value)}
        if not value:
            raise UserError(f"{self.name}: {option}= is empty; give a path, or one for each split")
        return {self._known_split(split): self.path(place) for split, place in value.items()}

    def _file_name(self, called: object) -> str:
        """The name, which predictions and ids are written under."""
        word = str(called) if isinstance(called, (str, int)) else ""  # a recipe's 2024 is a number
        sound = word.isprintable() and len(word) <= _LONGEST_NAME and word.strip(". ")
        if not sound or {"/", "\\"} & set(word):
            raise UserError(
                f"{self.name}: called={shortened(called)} is no name; give a short one without slashes"
            )
        return word

    def _known_split(self, word: object) -> str:
        split = split_named(word)
        if split is None:
            raise UserError(f"{self.name}: there is no split {word!r}; choose one of {', '.join(SPLITS)}")
        return split

    def _checked_shares(self, shares: Sequence[float] | str) -> tuple[float, float, float]:
        parts = shares.split(",") if isinstance(shares, str) else shares
        values = [number(share) for share in parts] if isinstance(parts, Sequence) else []
        if len(values) != 3 or not all(v >= 0 for v in values) or abs(sum(values) - 1) > 1e-6:
            raise UserError(f"{self.name}: shares={shares!r} are not three that make 1; give [0.8, 0.1, 0.1]")
        return values[0], values[1], values[2]

    def _pattern(self, group: str | None) -> re.Pattern[str] | None:
        try:
            return None if group is None else re.compile(group)
        except (re.error, TypeError) as error:
            raise UserError(f"{self.name}: group={group!r} is no regular expression ({error})") from error


def split_named(word: object) -> str | None:
    """train, val or test for the words people use for them ("valid", "Training", "test2017"); None for others."""
    plain = re.sub(r"[\W\d_]+$", "", str(word).strip().lower())
    return _SPLIT_WORDS.get(plain)


def shortened(value: object) -> str:
    """A value as an error shows it: it may be a page long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _printable(text: str) -> str:
    """The text with what no terminal could print replaced: JSON may hold halves of characters."""
    return text.encode(errors="replace").decode()


def number(value: object) -> float:
    """A number as annotation files have it, NaN for what is none (words, true, 10^400)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def object_name(text: object) -> str:
    """A class name as samples have it, singular and lower case: "Storage_Tanks" → "storage tank"; "" for none."""
    return singularise(" ".join(label_words(text))) if isinstance(text, str) else ""


__all__ = ["SHARES", "Entry", "FileSource", "StrPath", "number", "object_name", "shortened", "split_named"]
