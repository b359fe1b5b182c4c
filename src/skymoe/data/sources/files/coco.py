"""COCO json: objects with boxes and outlines, and captions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from skymoe.boxes import iou, polygon_bounds
from skymoe.data.sources.coco_masks import mask_boxes
from skymoe.data.sources.files.base import Entry, FileSource, StrPath, number, object_name
from skymoe.data.sources.files.pictures import Picture, PictureFolder
from skymoe.data.sources.files.reading import read_json, wrong
from skymoe.data.sources.objects import DamagedError
from skymoe.sample import XYXY

AGREE = 0.5
"""A box and an outline that overlap less (IoU) do not mean the same object."""


class Coco(FileSource):
    """COCO json (Lin et al. 2014), of objects, of captions, or of both.

    `annotations`: the json, or one for each split, `{"train": "a.json", "val": "b.json"}`; `images`: the folder
    of the pictures, or one for each split; by default that of the json. `file_name` is relative to it.

    `bbox` is x, y, width, height in pixels; without one the box is that of the outline. A `segmentation` of one
    polygon becomes the region's polygon, one that is run-length coded the smallest rectangle around it, one of
    several parts gives the box only. A crowd (`iscrowd`) is no object, and its class is not counted in that
    picture. `category_id` must be one of `categories`. Where the json gives a picture's size, the file must
    have it: else boxes may not fit.

    Licence: that of the picture where the json names one, else the option's. Splits: the user's, or by hash.
    """

    name = "coco"

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        annotations: StrPath | Mapping[str, StrPath],
        images: StrPath | Mapping[str, StrPath] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(root, **common)
        self.annotations = self.by_split("annotations", annotations)
        self.images = None if images is None else self.by_split("images", images)
        folders = {self._home(split, path) for split, path in self.annotations.items()}
        self._tell_apart = len(folders) > 1

    def places(self) -> list[Path]:
        return [*self.annotations.values(), *(self.images or {}).values()]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self.pictures_in(self._home(entry.split, entry.content[0].path))

    def _home(self, split: str | None, annotations: Path) -> Path:
        if self.images is None:
            return annotations.parent
        return self.images.get(split) or self.images.get(None) or annotations.parent

    def entries(self) -> Iterator[Entry]:
        for split, path in self.annotations.items():
            file = _File(path, self.name)
            for image in file.images:
                entry = file.entry(image, split)
                # Folders of their own may have pictures of one name that are not the same.
                yield replace(entry, id=f"{split}/{entry.key}") if self._tell_apart else entry
            yield from file.strays(split)

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        file, image, annotations = entry.content
        _check_size(image, picture)
        captions = []
        objects: list[tuple[str, str, Callable[[], Any]]] = []
        for place, annotation in annotations:
            if "caption" in annotation:
                caption = annotation["caption"]
                if isinstance(caption, str) and caption.strip():
                    captions.append(" ".join(caption.split()))
                else:
                    self.quarantine(f"{entry.key}#{place}", "the caption is empty or no text")
                continue
            name = file.names.get(_key(annotation.get("category_id")), "")
            objects.append((place, name, partial(_corners, annotation, picture)))
        known = self.objects(entry, picture, iter(objects), file.classes)
        licence = file.licences.get(_key(image.get("license")))
        return known | {"captions": tuple(captions)} | ({"licence": licence} if licence else {})


class _File:
    """One json, its annotations sorted by picture."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        content = read_json(path, source)
        if not isinstance(content, dict) or not isinstance(content.get("images"), list):
            raise wrong(path, 'is no COCO json: it has no list "images"', source)
        for part in ("annotations", "categories"):
            if not isinstance(content.get(part, []), list):
                raise wrong(path, f'is no COCO json: "{part}" is no list', source)
        self.images: list[Any] = content["images"]
        categories = [c for c in content.get("categories", []) if isinstance(c, dict)]
        self.names = {_key(c.get("id")): object_name(c.get("name")) for c in categories}
        self.classes = tuple(sorted({name for name in self.names.values() if name}))
        licences = content.get("licenses")
        self.licences = {
            _key(entry.get("id")): str(entry["name"])
            for entry in (licences if isinstance(licences, list) else [])
            if isinstance(entry, dict) and entry.get("name")
        }
        self.annotations: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.unread: list[str] = []
        self.used: dict[str, str] = {}
        for place, annotation in enumerate(content.get("annotations", [])):
            if not isinstance(annotation, dict):
                self.unread.append(f"annotations[{place}]")
                continue
            called = _key(annotation.get("id")) or f"annotations[{place}]"
            self.annotations.setdefault(_key(annotation.get("image_id")), []).append((called, annotation))

    def entry(self, image: Any, split: str | None) -> Entry:
        if not isinstance(image, dict):
            return Entry(
                "", (self, {}, []), split, f"images[{self.images.index(image)}]", "is no picture's entry"
            )
        name, key = image.get("file_name"), _key(image.get("id"))
        if not key or not isinstance(name, str):
            what = f"picture {key}" if key else f"picture {name!r}"
            return Entry("", (self, image, []), split, what, "has no file_name" if key else "has no id")
        if self.used.setdefault(key, name) != name:
            return Entry(name, (self, image, []), split, damage=f"has the id {key}, as {self.used[key]} has")
        return Entry(name, (self, image, self.annotations.pop(key, [])), split)

    def strays(self, split: str | None) -> Iterator[Entry]:
        """What belongs to no picture; to be read after the pictures."""
        for called in self.unread:
            yield Entry("", (self, {}, []), split, called, "is no annotation")
        for key, strays in self.annotations.items():
            for called, _ in strays:
                reason = f"there is no picture {key} among the images" if key else "has no image_id"
                yield Entry("", (self, {}, []), split, f"#{called}", reason)


def _check_size(image: dict[str, Any], picture: Picture) -> None:
    stated = image.get("width") or 0, image.get("height") or 0
    if stated != (0, 0) and (number(stated[0]), number(stated[1])) != (picture.width, picture.height):
        raise DamagedError(
            f"is annotated as {stated[0]}×{stated[1]} px, the picture has {picture.width}×{picture.height}"
        )


def _corners(annotation: dict[str, Any], picture: Picture) -> tuple[tuple[float, ...], bool] | None:
    """The corners of an object, of its outline where it has one; None for a crowd."""
    if annotation.get("iscrowd") in (1, True, "1"):
        return None
    box, outline = _box(annotation.get("bbox")), _outline(annotation.get("segmentation"), picture)
    if outline is None:
        if box is None:
            raise DamagedError("the object has neither a bbox nor polygons")
        return box, False
    if box is None:
        return (outline if len(outline) > 4 else polygon_bounds(outline)), False
    if iou(box, polygon_bounds(outline)) < AGREE:
        raise DamagedError("bbox and segmentation do not mean the same place")
    return (outline if len(outline) > 4 else box), False


def _box(value: Any) -> XYXY | None:
    if value in (None, []):
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise DamagedError("bbox is not x, y, width, height")
    x, y, width, height = map(number, value)
    if not (width > 0 and height > 0):
        raise DamagedError(f"bbox has no area: width {value[2]}, height {value[3]}")
    return x, y, x + width, y + height


def _outline(value: Any, picture: Picture) -> tuple[float, ...] | None:
    """The outline of one part, the smallest rectangle around a run-length mask; of several parts x1, y1, x2, y2
    around them; None where there is none."""
    if isinstance(value, dict):
        return _around(value, picture)
    if not isinstance(value, list) or not value:
        return None
    parts = value if isinstance(value[0], list) else [value]
    points: list[tuple[float, ...]] = []
    for part in parts:
        if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
            raise DamagedError("a segmentation is no polygon of three or more points")
        points.append(tuple(map(number, part)))
        if not all(map(math.isfinite, points[-1])):
            raise DamagedError("a segmentation has a coordinate that is no number")
    return points[0] if len(points) == 1 else polygon_bounds([value for part in points for value in part])


def _around(mask: dict[str, Any], picture: Picture) -> tuple[float, ...]:
    # The size first: a mask of a billion columns would keep the reader busy for hours.
    if mask.get("size") != [picture.height, picture.width]:
        raise DamagedError(f"the mask's size is {mask.get('size')}, not [{picture.height}, {picture.width}]")
    try:
        return mask_boxes(mask)[1]
    except (OverflowError, IndexError, TypeError, ValueError) as error:
        raise DamagedError(
            str(error) if isinstance(error, DamagedError) else "the mask is damaged"
        ) from error


def _key(value: Any) -> str:
    """An id as text, "" for what is none: writers make numbers, floats or text of the same ids."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
