"""Pascal VOC: an XML file of objects for each picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from skymoe.boxes import Box
from skymoe.data.sources.files.base import Entry, FileSource, StrPath, number, object_name
from skymoe.data.sources.files.pictures import Picture, PictureFolder
from skymoe.data.sources.files.reading import read_text, wrong
from skymoe.data.sources.objects import DamagedError
from skymoe.errors import UserError

_BOX = ("xmin", "ymin", "xmax", "ymax")
_TURNED = ("cx", "cy", "w", "h", "angle")
_SETS = (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test"))


class Voc(FileSource):
    """Pascal VOC folders (Everingham et al. 2010), as labelImg, CVAT and Roboflow write them, too.

    `annotations`: the folder with `Annotations/`, `JPEGImages/` and perhaps `ImageSets/Main/`, or any folder of
    XML files; `images`: the pictures, by default `JPEGImages`, `images`, or beside the XML. The picture of
    `a.xml` is `a.jpg` (any picture suffix), else what its `filename` says. `names`: the classes; by default all
    that occur.

    `bndbox` is xmin, ymin, xmax, ymax as written; `one_based=True` for files that count pixels from 1 (Pascal's
    own do: one pixel is taken off xmin and ymin). `robndbox` of roLabelImg (cx, cy, w, h, angle) becomes the
    polygon. `difficult` objects are kept as difficult. Where `size` is given, the file must have it.

    Licence: the option's. Splits: `ImageSets/Main/train.txt`, `val.txt`, `test.txt` (`trainval.txt` in place of
    train), else by hash. What stands in none of the lists is quarantined.
    """

    name = "voc"

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        annotations: StrPath,
        images: StrPath | None = None,
        names: Sequence[str] | str | None = None,
        one_based: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(root, **common)
        self.annotations = self.path(annotations)
        self.images = None if images is None else self.path(images)
        self.names = names.split(",") if isinstance(names, str) else names
        if not isinstance(self.names, Sequence | None):
            raise UserError(f"{self.name}: names={names!r} are no classes; give a list of them")
        self.first_pixel = 1.0 if self.flag("one_based", one_based) else 0.0

    def places(self) -> list[Path]:
        return [self.annotations, *([] if self.images is None else [self.images])]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self._pictures

    def entries(self) -> Iterator[Entry]:
        lists = self._lists()
        there = dict.fromkeys(path.relative_to(self._xml).with_suffix("").as_posix() for path in self._files)
        for split, stems in lists.items():
            for stem in stems:
                damage = "" if stem in there else "has no annotation file"
                yield Entry(stem, split=split, damage=damage)
        listed = {stem for stems in lists.values() for stem in stems}
        for stem in there:
            if stem not in listed:
                yield Entry(stem, damage="stands in none of the lists of ImageSets/Main" if lists else "")

    def picture(self, entry: Entry) -> Picture:
        try:
            return self._pictures.find(entry.name)
        except DamagedError:
            name = _read(self._xml / f"{entry.name}.xml").findtext("filename") or ""
            if not name.strip() or self._pictures.has(entry.name):
                raise
            return self._pictures.find(name)

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        node = _read(self._xml / f"{entry.name}.xml")
        stated = tuple(number(node.findtext(f"size/{side}", "0")) for side in ("width", "height"))
        if stated not in ((0, 0), (picture.width, picture.height)):
            written = "×".join(f"{side:g}" for side in stated)
            raise DamagedError(
                f"is annotated as {written} px, the picture has {picture.width}×{picture.height}"
            )
        found = (
            (str(place), object_name(thing.findtext("name")), partial(self._corners, thing))
            for place, thing in enumerate(node.findall("object"))
        )
        return self.objects(entry, picture, found, self._classes)

    def _corners(self, thing: Element) -> tuple[tuple[float, ...], bool]:
        difficult = (thing.findtext("difficult") or "0").strip() == "1"
        turned = thing.find("robndbox")
        if turned is not None:
            x, y, width, height, angle = _numbers(turned, _TURNED)
            box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, math.degrees(angle))
            return box.polygon(), difficult
        node = thing.find("bndbox")
        if node is None:
            raise DamagedError("the object has no bndbox")
        x1, y1, x2, y2 = _numbers(node, _BOX)
        x1, y1 = x1 - self.first_pixel, y1 - self.first_pixel
        if not (x1 < x2 and y1 < y2):
            raise DamagedError(f"the box has no area: ({x1:g}, {y1:g}, {x2:g}, {y2:g})")
        return (x1, y1, x2, y2), difficult

    @cached_property
    def _xml(self) -> Path:
        below = self.annotations / "Annotations"
        return below if below.is_dir() else self.annotations

    @cached_property
    def _files(self) -> list[Path]:
        try:
            files = sorted(self._xml.rglob("*.xml"), key=lambda path: path.relative_to(self._xml).as_posix())
        except OSError as error:
            raise wrong(self._xml, f"can't be looked through ({error.strerror})", self.name) from error
        if not files:
            raise wrong(self._xml, "has no XML file", self.name)
        return files

    @cached_property
    def _pictures(self) -> PictureFolder:
        home = self.annotations.parent if self.annotations.name == "Annotations" else self.annotations
        usual = [home / "JPEGImages", home / "images", self._xml]
        folder = self.images or next(place for place in usual if place.is_dir())
        return self.pictures_in(folder)

    def _lists(self) -> dict[str, list[str]]:
        """The stems of each split in the order of its list."""
        home = self.annotations.parent if self.annotations.name == "Annotations" else self.annotations
        folder = home / "ImageSets" / "Main"
        there = {split: folder / f"{name}.txt" for name, split in _SETS if (folder / f"{name}.txt").is_file()}
        if "train" not in there and (folder / "trainval.txt").is_file():
            there = {"train": folder / "trainval.txt"} | there
        return {
            split: [line.split()[0] for line in read_text(path, self.name).splitlines() if line.strip()]
            for split, path in there.items()
        }

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        if self.names is not None:
            return tuple(sorted({object_name(name) for name in self.names}))
        found: set[str] = set()
        for path in self._files:
            try:
                found.update(object_name(node.findtext("name")) for node in _read(path).findall("object"))
            except DamagedError:
                continue  # reported when it is this file's turn
        return tuple(sorted(found - {""}))


def _read(path: Path) -> Element:
    """The root of an annotation file; DamagedError when it can't be read or is more than plain XML."""
    try:
        text = path.read_bytes()
        # No tool writes a document type; entities in it can be bombs.
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise DamagedError(f"{path.name} declares a document type, which no annotation needs")
        return ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(f"{path.name} is damaged ({error})") from error


def _numbers(node: Element, tags: Sequence[str]) -> list[float]:
    for tag in tags:
        if node.find(tag) is None:
            raise DamagedError(f"the {node.tag} has no {tag}")
    values = [number((node.findtext(tag) or "").strip()) for tag in tags]
    if not all(map(math.isfinite, values)):
        raise DamagedError(f"the {node.tag} has a coordinate that is no number")
    return values
