"""YOLO: data.yaml, folders of pictures, and a text file of labels beside each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import SPLITS
from skymoe.data.sources.files.base import Entry, FileSource, StrPath, number, object_name, split_named
from skymoe.data.sources.files.pictures import Picture, PictureFolder, inside
from skymoe.data.sources.files.reading import read_text, read_yaml, wrong
from skymoe.data.sources.objects import DamagedError
from skymoe.errors import UserError

_BOX, _OUTLINE = 5, 7
_NO_PICTURES = (".txt", ".yaml", ".cache", ".json")
"""What else lies in the folders of pictures: labels, lists, and what trainings leave there."""


class Yolo(FileSource):
    """YOLO labels as Ultralytics and Roboflow write them: boxes, oriented boxes and outlines.

    `annotations`: the data.yaml (`path`, `train`, `val`, `test`, `names`; needs pyyaml). Its folders must lie
    below its own, or below `images=`. Or without it: `images`, the folder of the pictures, and `names`, a list
    of the classes or a file with one a line (classes.txt, obj.names).

    The labels of `…/images/a.jpg` are in `…/labels/a.txt`, else beside the picture, or below `labels=`. A line
    is `class x y width height` of the centre, or `class x1 y1 x2 y2 x3 y3 …`: an oriented box or an outline,
    which becomes the region's polygon; all are shares of the picture's width and height. With `kpt_shape` in
    the yaml what follows the box is key points, and is not read. An empty file is a picture without objects;
    a missing one may be a mistake and is quarantined, unless `background=True` says that it means the same.

    Licence: the option's. Splits: those of data.yaml, else by hash.
    """

    name = "yolo"

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        annotations: StrPath | None = None,
        images: StrPath | None = None,
        labels: StrPath | None = None,
        names: Sequence[str] | StrPath | None = None,
        background: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(root, **common)
        if annotations is None and (images is None or names is None):
            raise UserError(f"{self.name}: say annotations= (the data.yaml), or images= and names=")
        self.annotations = None if annotations is None else self.path(annotations)
        self.images = None if images is None else self.path(images)
        self.labels = None if labels is None else self.path(labels)
        self.names, self.background = names, self.flag("background", background)

    def places(self) -> list[Path]:
        return [place for place in (self.annotations, self.images, self.labels) if place is not None]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self.pictures_in(self._home)

    def entries(self) -> Iterator[Entry]:
        for split, place in self._parts():
            if place.is_file():
                for line in read_text(place, self.name).splitlines():
                    if line.strip():
                        yield self._listed(line.strip(), place, split)
                continue
            below = place.relative_to(self._home)
            for name, damage in self.pictures_in(place).files():
                if not name.endswith(_NO_PICTURES):
                    yield Entry((below / name).as_posix(), split=split, damage=damage)

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        path = self._label_file(picture.path)
        if path is None:
            if not self.background:
                raise DamagedError(
                    "has no label file; background=True takes it for a picture without objects"
                )
            return self.objects(entry, picture, iter(()), self._classes)
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedError(f"its label file {path.name} can't be read as text") from error
        return self.objects(entry, picture, self._objects(lines, picture), self._classes)

    def _objects(self, lines: Sequence[str], picture: Picture) -> Iterator[tuple[str, str, Any]]:
        for place, line in enumerate(lines, 1):
            if words := line.split():
                index = number(words[0])
                known = math.isfinite(index) and index.is_integer() and 0 <= index < len(self._all_names)
                name = self._all_names[int(index)] if known else ""
                yield str(place), name, partial(self._corners, words[1:], picture)

    def _corners(self, words: Sequence[str], picture: Picture) -> tuple[tuple[float, ...], bool]:
        values = [number(word) for word in words]
        if self._key_points:
            values = values[: _BOX - 1]
        if len(values) == _BOX - 1:
            x, y, width, height = values
            if not (width > 0 and height > 0):
                raise DamagedError(f"the box has no area: width {words[2]}, height {words[3]}")
            values = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        elif len(values) < _OUTLINE - 1 or len(values) % 2:
            what = "; a sixth is a detector's confidence" if len(values) == _BOX else ""
            raise DamagedError(f"the line has {len(values) + 1} numbers, not 5 or an odd number from 7{what}")
        if max(map(abs, values)) > 2 and all(map(math.isfinite, values)):
            raise DamagedError("the line holds pixels, not shares of the picture")
        sides = (picture.width, picture.height) * (len(values) // 2)
        return tuple(value * side for value, side in zip(values, sides, strict=True)), False

    def _label_file(self, picture: Path) -> Path | None:
        """The label file of a picture: `images` becomes `labels` in its path, or it lies beside it."""
        below = picture.relative_to(self._home)
        places = [picture.with_suffix(".txt")]
        if self.labels is not None:
            places = [self.labels / below.with_suffix(".txt"), self.labels / f"{picture.stem}.txt"]
            parts = below.parts
            if "images" in parts:  # train/images/a.jpg below labels=train/labels
                after = len(parts) - parts[::-1].index("images")
                places.insert(0, self.labels / Path(*parts[after:]).with_suffix(".txt"))
        else:
            whole = picture.parts
            if "images" in whole:
                at = len(whole) - 1 - whole[::-1].index("images")
                places.insert(0, Path(*whole[:at], "labels", *whole[at + 1 :]).with_suffix(".txt"))
        return next((place for place in places if place.is_file()), None)

    @cached_property
    def _yaml(self) -> dict[str, Any]:
        if self.annotations is None:
            return {}
        content = read_yaml(self.annotations, self.name)
        if not isinstance(content, dict) or not any(content.get(split) for split in SPLITS):
            raise wrong(self.annotations, "is no data.yaml: it has none of train, val, test", self.name)
        return content

    @cached_property
    def _home(self) -> Path:
        """The folder that no picture may leave."""
        if self.images is not None:
            return self.images
        assert self.annotations is not None
        return self.annotations.parent

    def _parts(self) -> Iterator[tuple[str | None, Path]]:
        """The folders of pictures, or lists of them, with their split."""
        if self.annotations is None:
            yield None, self._home
            return
        for key, value in self._yaml.items():
            split = split_named(key) if key in ("train", "val", "valid", "validation", "test") else None
            if split is not None and value:
                for place in value if isinstance(value, list) else [value]:
                    yield split, self._part(place)

    def _part(self, place: object) -> Path:
        """A folder of data.yaml, which may speak of where the data were on another machine."""
        base = self._yaml.get("path")
        tries = [f"{base}/{place}"] if isinstance(base, str) and base else []
        # Roboflow writes ../train/images for what lies beside data.yaml.
        tries += [str(place), re.sub(r"^(\.\./)+", "", str(place))]
        for name in tries:
            try:
                path = self._home / inside(name, self._home)
            except DamagedError:
                continue
            if path.exists():
                return path
        assert self.annotations is not None
        raise wrong(
            self.annotations, f"speaks of {str(place)!r}, which is not below {self._home}", self.name,
            "put the pictures there, or say images= (the folder that they are below)",
        )  # fmt: skip

    def _listed(self, line: str, listing: Path, split: str | None) -> Entry:
        """An entry of a text file that lists pictures, relative to it or to the data."""
        for base in (listing.parent, self._home):
            name = line if line.startswith("/") else (base / line).as_posix()
            try:
                below = inside(name, self._home)
            except DamagedError as error:
                damage = str(error)
                continue
            if (self._home / below).is_file() or base == self._home:
                return Entry(below, split=split)
        return Entry(line, split=split, damage=damage)

    @cached_property
    def _all_names(self) -> list[str]:
        """The class names by index, "" where there is none."""
        given: Any = self.names if self.names is not None else self._yaml.get("names")
        if isinstance(given, (str, Path)):
            given = [line for line in read_text(self.path(given), self.name).splitlines() if line.strip()]
        if isinstance(given, Mapping):
            numbers = [number(key) for key in given]
            if not all(math.isfinite(n) and n.is_integer() and 0 <= n < 10_000 for n in numbers):
                raise UserError(
                    f"{self.name}: names: {list(given)[:5]} are no class numbers; number them from 0"
                )
            table = dict(zip(map(int, numbers), given.values(), strict=True))
            given = [table.get(n, "") for n in range(max(table, default=-1) + 1)]
        if not isinstance(given, (list, tuple)) or not given:
            where = self.annotations or "names="
            raise UserError(f"{self.name}: {where} has no class names; give names: [ship, plane]")
        return [object_name(str(name)) for name in given]

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        return tuple(sorted({name for name in self._all_names if name}))

    @property
    def _key_points(self) -> bool:
        return bool(self._yaml.get("kpt_shape"))
