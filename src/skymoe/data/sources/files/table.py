"""CSV tables of captions, labels, questions or boxes."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from skymoe.data.sources.files.base import (
    Entry,
    FileSource,
    StrPath,
    number,
    object_name,
    split_named,
)
from skymoe.data.sources.files.columns import SHAPES, Columns, find_columns, parse_given
from skymoe.data.sources.files.pictures import Picture, PictureFolder
from skymoe.data.sources.files.reading import read_text, wrong
from skymoe.data.sources.objects import DamagedError, sound_region
from skymoe.errors import UserError
from skymoe.sample import Expression, Question
from skymoe.tasks.questions import read_question

_DELIMITERS = ",;\t|"
UNITS = ("pixel", "share")


class Row(NamedTuple):
    """A line of the table by its number, from 1 for the header."""

    line: int
    cells: list[str]


class Table(FileSource):
    """A CSV table with a row for each caption, question or box, or one for each picture.

    `annotations`: the table, UTF-8, with a header; separated by comma, semicolon, tab or |. `images`: the folder
    of the pictures, by default the table's own. What a column is, is guessed from its name: the picture
    (image, file_name, path …), caption (also caption_1, caption_2 …), label, question and answer (with type),
    phrase, split, and boxes: x1 y1 x2 y2, xmin ymin xmax ymax, left top right bottom, x y w h, cx cy w h, eight
    corners, or one column of four numbers (box, bounds; for bbox say `boxes="xyxy"` or `"xywh"`). `columns` names
    them otherwise: `{"image": "scene", "caption": ["de", "en"]}`.

    Boxes are pixels, or with `unit="share"` shares of the picture. With boxes the label is the object's class
    (several rows a picture), without it is the scene. A box with a phrase is what that phrase names.

    Licence: the option's. Splits: the column's, else by hash of the picture's name.
    """

    name = "csv"

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        annotations: StrPath,
        images: StrPath | None = None,
        columns: Mapping[str, Any] | str | None = None,
        boxes: str | None = None,
        unit: str = "pixel",
        **common: Any,
    ) -> None:
        super().__init__(root, **common)
        for option, value, known in (("boxes", boxes or SHAPES[0], SHAPES), ("unit", unit, UNITS)):
            if value not in known:
                raise UserError(
                    f"{self.name}: {option}={value!r} is not known; choose one of {', '.join(known)}"
                )
        self.annotations = self.path(annotations)
        self.images = self.annotations.parent if images is None else self.path(images)
        self.given = None if columns is None else parse_given(columns, self.name)
        self.boxes, self.unit = boxes, unit

    def places(self) -> list[Path]:
        return [self.annotations, self.images]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self.pictures_in(self.images)

    def entries(self) -> Iterator[Entry]:
        columns, rows = self._columns, self._rows
        pictures: dict[str, list[Row]] = {}
        for row in rows:
            if len(row.cells) != len(self._header):
                reason = f"has {len(row.cells)} cells, the header {len(self._header)}"
                yield Entry("", id=f"line {row.line}", damage=reason)
            elif name := row.cells[columns.one["image"]].strip():
                pictures.setdefault(name, []).append(row)
            else:
                yield Entry("", id=f"line {row.line}", damage="names no picture")
        for name, lines in pictures.items():
            words = dict.fromkeys(word for row in lines if (word := self._cell(row, "split")))
            splits = {split_named(word) for word in words}
            damage = ""
            if None in splits:
                damage = (
                    f"its split {next(w for w in words if not split_named(w))!r} is none of train, val, test"
                )
            elif len(splits) > 1:
                damage = f"is in several splits: {', '.join(words)}"
            yield Entry(name, lines, None if damage else next(iter(splits), None), damage=damage)

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        columns, rows = self._columns, entry.content
        captions = tuple(
            text for row in rows for place in columns.captions if (text := _tidy(row.cells[place]))
        )
        known: dict[str, Any] = {"captions": captions, "questions": tuple(self._questions(entry))}
        if columns.box:
            if "label" in columns.one:
                objects = (
                    (
                        str(row.line),
                        object_name(self._cell(row, "label")),
                        partial(self._corners, row, picture),
                    )
                    for row in rows
                    if self._boxed(row)
                )
                known |= self.objects(entry, picture, objects, self._classes)
            known["expressions"] = tuple(self._expressions(entry, picture))
        elif "label" in columns.one:
            known |= self._scene(entry)
        return known

    def _questions(self, entry: Entry) -> Iterator[Question]:
        if not {"question", "answer"} <= set(self._columns.one):
            return
        for row in entry.content:
            question, answer = self._cell(row, "question"), self._cell(row, "answer")
            if question and answer:
                known = read_question(question)
                kind = self._cell(row, "kind").lower() or (known[0] if known else "other")
                yield Question(question, answer, kind)
            elif question or answer:
                what = "answer" if question else "question"
                self.quarantine(f"{entry.key}#{row.line}", f"the row has no {what}")

    def _expressions(self, entry: Entry, picture: Picture) -> Iterator[Expression]:
        places: dict[str, Expression] = {}
        for row in entry.content:
            phrase = self._cell(row, "phrase")
            if not phrase or not self._boxed(row):
                continue
            try:
                region = sound_region("object", self._corners(row, picture)[0], picture.width, picture.height)
                place = Expression(phrase, region.box, region.polygon)
                if places.setdefault(phrase, place) != place:
                    raise DamagedError(f"{phrase!r} was said of another place before")
            except DamagedError as error:
                if "label" not in self._columns.one or "was said" in str(
                    error
                ):  # else the object was reported
                    self.quarantine(f"{entry.key}#{row.line}", str(error))
        yield from places.values()

    def _scene(self, entry: Entry) -> dict[str, Any]:
        label = ""
        for row in entry.content:
            word = self._cell(row, "label")
            label = label or word
            if word not in ("", label):
                self.quarantine(f"{entry.key}#{row.line}", f"the label is {word!r}, before it was {label!r}")
        return {"label": label or None, "labels": self._labels if label else ()}

    def _corners(self, row: Row, picture: Picture) -> tuple[tuple[float, ...], bool]:
        cells = [row.cells[place] for place in self._columns.box]
        if len(cells) == 1:
            cells = [word for word in re.split(r"[\s,;]+", cells[0].strip(" \t()[]{}")) if word]
        values = [number(cell.strip()) for cell in cells]
        if len(values) not in (4, 8) or not all(map(math.isfinite, values)):
            raise DamagedError(f"the box ({', '.join(cells)[:60]}) is not four numbers")
        if self.unit == "pixel" and max(map(abs, values)) <= 1:
            raise DamagedError("the box lies within one pixel; unit='share' reads shares of the picture")
        if len(values) == 4:
            values = _ends(values, self._columns.shape)
            if not (values[0] < values[2] and values[1] < values[3]):
                raise DamagedError(f"the box has no area: ({', '.join(f'{value:g}' for value in values)})")
        if self.unit == "share":
            values = [value * (picture.width, picture.height)[i % 2] for i, value in enumerate(values)]
        return tuple(values), False

    def _boxed(self, row: Row) -> bool:
        """Whether the row has a box: a picture without objects may have a row with empty cells."""
        return any(row.cells[place].strip() for place in self._columns.box)

    def _cell(self, row: Row, role: str) -> str:
        place = self._columns.one.get(role)
        return "" if place is None else _tidy(row.cells[place])

    @cached_property
    def _lines(self) -> list[Row]:
        text = read_text(self.annotations, self.name)
        header = text.partition("\n")[0]
        delimiter = max(_DELIMITERS, key=header.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        try:
            found = [Row(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
        except csv.Error as error:
            what = f"can't be read as CSV after line {reader.line_num} ({error})"
            raise wrong(self.annotations, what, self.name, "mend it") from error
        if len(found) < 2:
            raise wrong(self.annotations, "has no rows below its header", self.name)
        return found

    @property
    def _header(self) -> list[str]:
        return [name.strip() for name in self._lines[0].cells]

    @property
    def _rows(self) -> list[Row]:
        return self._lines[1:]

    @cached_property
    def _columns(self) -> Columns:
        return find_columns(self._header, f"{self.name}: {self.annotations}", self.given, self.boxes)

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        sound = (row for row in self._rows if len(row.cells) == len(self._header))
        return tuple(sorted({label for row in sound if (label := self._cell(row, "label"))}))

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        return tuple(sorted({name for label in self._labels if (name := object_name(label))}))


def _ends(values: Sequence[float], shape: str) -> list[float]:
    a, b, c, d = values
    if shape == "xywh":
        return [a, b, a + c, b + d]
    return [a - c / 2, b - d / 2, a + c / 2, b + d / 2] if shape == "cxcywh" else [a, b, c, d]


def _tidy(text: str) -> str:
    return " ".join(text.split())
