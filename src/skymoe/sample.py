"""A picture and everything that is known about it: the value every dataset is turned into."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated object.

    ``name`` is the singular lower-case class name ("storage tank"), ``box`` is x1, y1, x2, y2 in pixels of
    the sample's picture, ``polygon`` is x1, y1, x2, y2, … (oriented box or mask outline) in the same
    pixels.
    """

    name: str
    box: XYXY
    polygon: tuple[float, ...] | None = None
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A question the dataset itself asks; ``kind`` is "theme", "presence", "count", "location", …"""

    text: str
    answer: str
    kind: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A phrase that names exactly one object of the picture, and where that object is (pixels)."""

    phrase: str
    box: XYXY
    polygon: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """What was done to the picture of a sample, told so fully that a checker can find it in the pixels.

    ``kind`` is "cutout", "relocate" or "recolour", ``name`` the class of the objects, ``seed`` that of the run.
    ``before`` are the objects concerned as the original has them, ``after`` as they are now (nothing for a
    cutout). Cutout: ``fill`` ("zero", "mean", "inpaint"), ``ratio`` (r of the paper, 0.15–0.30) and ``count``
    (before, after). Relocation and recolouring: ``phrase`` and the ``words`` of position or colour in it
    (before, after); recolouring also ``outline``, the pixels' polygon x1, y1, x2, y2, … that was recoloured.
    """

    kind: str
    name: str
    seed: int
    before: tuple[Region, ...]
    after: tuple[Region, ...] = ()
    fill: str | None = None
    ratio: float | None = None
    count: tuple[int, int] | None = None
    phrase: tuple[str, str] | None = None
    words: tuple[str, str] | None = None
    outline: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture. ``width`` and ``height`` are those of the picture as seen, cut to ``window``.

    ``complete`` names the classes whose regions are annotated exhaustively, so that counting them is
    honest; ``absent`` names the classes known not to be in the picture; ``labels`` is the dataset's closed
    list of scenes. Samples of one ``pair`` show the same scene: the original and what ``edits`` made of it.
    """

    id: str
    image: str
    source: str
    split: str
    licence: str
    width: int
    height: int
    window: XYXY | None = None
    captions: tuple[str, ...] = ()
    label: str | None = None
    labels: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    complete: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    expressions: tuple[Expression, ...] = ()
    questions: tuple[Question, ...] = ()
    pair: str | None = None
    edits: tuple[Edit, ...] = ()

    def replace(self, **changes: Any) -> Sample:
        """The same sample with some fields changed."""
        return dataclasses.replace(self, **changes)

    def count(self, name: str) -> int | None:
        """How many objects called ``name`` there are, or None where the annotation cannot tell."""
        if name in self.complete:
            return sum(region.name == name for region in self.regions)
        return 0 if name in self.absent else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; sets become sorted lists, so that the same sample always writes the same line."""
        record = dataclasses.asdict(self)
        record["complete"] = sorted(self.complete)
        record["absent"] = sorted(self.absent)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Sample:
        """The inverse of :meth:`to_dict`, also after a trip through JSON."""
        fields = dict(record)
        fields["window"] = _box(fields.get("window"))
        for name in ("captions", "labels"):
            fields[name] = tuple(fields.get(name) or ())
        for name in ("complete", "absent"):
            fields[name] = frozenset(fields.get(name) or ())
        fields["regions"] = tuple(Region(**_shape(r)) for r in fields.get("regions") or ())
        fields["expressions"] = tuple(Expression(**_shape(e)) for e in fields.get("expressions") or ())
        fields["questions"] = tuple(Question(**q) for q in fields.get("questions") or ())
        fields["edits"] = tuple(Edit(**_edit(e)) for e in fields.get("edits") or ())
        return cls(**fields)


def _box(values: Any) -> XYXY | None:
    if values is None:
        return None
    x1, y1, x2, y2 = (float(v) for v in values)
    return x1, y1, x2, y2


def _edit(record: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(record)
    for name in ("before", "after"):
        fields[name] = tuple(Region(**_shape(region)) for region in fields.get(name) or ())
    for name in ("count", "phrase", "words"):
        fields[name] = None if fields.get(name) is None else tuple(fields[name])
    outline = fields.get("outline")
    fields["outline"] = None if outline is None else tuple(map(float, outline))
    return fields


def _shape(record: Mapping[str, Any]) -> dict[str, Any]:
    polygon = record.get("polygon")
    return {
        **record,
        "box": _box(record["box"]),
        "polygon": None if polygon is None else tuple(map(float, polygon)),
    }
