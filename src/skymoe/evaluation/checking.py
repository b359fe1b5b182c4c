"""What a prediction line must hold, task by task; a reference that no answer could meet is a fault of the line.

============  =====================================================================================================
all           ``id`` (text or integer, each once), ``prediction`` (the raw text)
caption       ``references``: at least one text
vqa           ``reference`` (text), ``question_type`` (text); ``labels`` where the list is closed
ground        ``reference``: x1, y1, x2, y2 in pixels, or x1, y1, …, x4, y4 of a turned box, or one box in GeoChat's
              notation; ``width`` and ``height`` in pixels; ``input_size`` where pixels of another size are answered
count         ``reference``: an integer from 0
classify      ``reference`` (text), which is one of ``labels``
============  =====================================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from skymoe.boxes import oriented_box, parse_boxes, polygon_area, polygon_bounds
from skymoe.tasks.labels import label_key
from skymoe.tasks.vqa import normalise_answer

HIGHEST_COUNT = 10**12
LARGEST_SIDE = 10**6
HUNDREDTHS = (100.0, 100.0)
"""The size given to a picture whose own is not known, where reference and answer are both relative to it."""
Line = Mapping[str, Any]


def check(
    task: str,
    line: Line,
    *,
    labels: Sequence[str] = (),
    image_size: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """The line with its fields in one form; ValueError with the reason where it cannot be scored.

    ``labels`` and ``image_size`` stand in where the line has none.
    """
    name = line.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        raise ValueError(_wrong(line, "id", "text or an integer"))
    record = {**line, "prediction": _string(line, "prediction", empty=True)}
    return {**record, **_CHECKS[task](line, labels, image_size)}


def quoted(value: object) -> str:
    """A value as JSON, cut to what fits in a message."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        text = kind_of(value)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= 60 else f"{text[:57]}…"


def kind_of(value: object) -> str:
    """What JSON calls it, with its article."""
    if value is None or isinstance(value, bool):
        return quoted(value)
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _wrong(line: Line, key: str, wanted: str) -> str:
    if key not in line:
        return f'it has no "{key}"'
    value = line[key]
    given = quoted(value) if isinstance(value, str | int | float) or value is None else kind_of(value)
    return f'its "{key}" is {given}, not {wanted}'


def _string(line: Line, key: str, *, empty: bool = False) -> str:
    value = line.get(key)
    if not isinstance(value, str):
        raise ValueError(_wrong(line, key, "text"))
    if not empty and not value.strip():
        raise ValueError(f'its "{key}" is empty')
    return value


def _strings(line: Line, key: str) -> list[str]:
    value = line.get(key)
    if not isinstance(value, list):
        raise ValueError(_wrong(line, key, "a list of texts"))
    if not value:
        raise ValueError(f'its "{key}" is empty')
    for item in value:
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f'its "{key}" holds {quoted(item)}, not only texts')
    return value


def _numbers(value: object) -> list[float] | None:
    if not isinstance(value, list) or not all(_is_number(item) for item in value):
        return None
    return [float(item) for item in value]


def _is_number(value: object) -> bool:
    """A finite number of a sane size; a number beyond it would overflow in an area."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_SIDE


def _caption(line: Line, labels: Sequence[str], size: tuple[float, float] | None) -> dict[str, Any]:
    return {"references": _strings(line, "references")}


def _vqa(line: Line, labels: Sequence[str], size: tuple[float, float] | None) -> dict[str, Any]:
    reference = _string(line, "reference")
    if not _says_something(reference):
        raise ValueError(f'its "reference" {quoted(reference)} says nothing')
    fields = {"reference": reference, "question_type": _string(line, "question_type")}
    if line.get("labels") in (None, []):
        return fields
    return {**fields, "labels": _strings(line, "labels")}


# A test set has a quarter of a million questions, a few hundred answers and one list of labels.
@lru_cache(4096)
def _says_something(reference: str) -> bool:
    return bool(normalise_answer(reference))


@lru_cache(256)
def _keys(labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(label_key, labels))


def _count(line: Line, labels: Sequence[str], size: tuple[float, float] | None) -> dict[str, Any]:
    value = line.get("reference")
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(_wrong(line, "reference", "an integer"))
    if not 0 <= value <= HIGHEST_COUNT:
        raise ValueError(f'its "reference" is {quoted(value)}, no count between 0 and {HIGHEST_COUNT:,}')
    return {"reference": value}


def _classify(line: Line, labels: Sequence[str], size: tuple[float, float] | None) -> dict[str, Any]:
    reference = _string(line, "reference")
    names = _strings(line, "labels") if "labels" in line or not labels else list(labels)
    if label_key(reference) not in _keys(tuple(names)):
        raise ValueError(f'its "reference" {quoted(reference)} is none of its "labels"')
    return {"reference": reference, "labels": names}


def _ground(line: Line, labels: Sequence[str], size: tuple[float, float] | None) -> dict[str, Any]:
    reference = line.get("reference")
    relative = isinstance(reference, str) and size is None and "width" not in line and "height" not in line
    width, height = picture_size(line, HUNDREDTHS if relative else size)
    box, polygon = _reference(line, width, height)
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f'its "reference" {quoted(reference)} has no area')
    if box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
        raise ValueError(
            f'its "reference" {quoted(reference)} lies outside the picture ({width:g} × {height:g})'
        )
    fields: dict[str, Any] = {"reference": box, "width": width, "height": height}
    if polygon:
        # An outline becomes the rectangle around it: overlaps are exact for convex corners only.
        fields["polygon"] = polygon if is_convex(polygon) else list(oriented_box(polygon).polygon())
    if "input_size" in line:
        fields["input_size"] = _pair(line, "input_size")
    if relative:
        fields["relative"] = True
    return fields


def _reference(line: Line, width: float, height: float) -> tuple[list[float], list[float] | None]:
    """The horizontal box, and the outline where there is one."""
    reference = line.get("reference")
    if isinstance(reference, str):
        boxes = parse_boxes(reference, width, height, "geochat")
        if len(boxes) != 1:
            raise ValueError(f'its "reference" {quoted(reference)} holds {len(boxes)} boxes, not one')
        (found,) = boxes
        outline = list(found.polygon()) if found.angle else _outline(line)
        return list(found.enclosing().xyxy), outline
    values = _numbers(reference)
    if values is None or len(values) not in (4, 8):
        raise ValueError(_wrong(line, "reference", "a box of 4 numbers, 4 corners, or one in text"))
    return (values, _outline(line)) if len(values) == 4 else (list(polygon_bounds(values)), values)


def _outline(line: Line) -> list[float] | None:
    if line.get("polygon") is None:
        return None
    values = _numbers(line["polygon"])
    if values is None or len(values) < 6 or len(values) % 2 or polygon_area(values) <= 0:
        raise ValueError(_wrong(line, "polygon", "corners x1, y1, x2, y2, … around an area"))
    return values


def is_convex(polygon: Sequence[float]) -> bool:
    """Whether four corners x1, y1, …, x4, y4 turn one way throughout."""
    if len(polygon) != 8:
        return False
    points = [(polygon[i], polygon[i + 1]) for i in range(0, 8, 2)]
    turns = []
    for (ax, ay), (bx, by), (cx, cy) in zip(
        points, points[1:] + points[:1], points[2:] + points[:2], strict=True
    ):
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    return all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns)


def picture_size(line: Line, default: tuple[float, float] | None) -> tuple[float, float]:
    """A line's ``width`` and ``height``, or the default where it has neither; ValueError where they are no sides."""
    if default is not None and line.get("width") is None and line.get("height") is None:
        return default
    sides = []
    for key in ("width", "height"):
        value = line.get(key)
        if not _is_number(value) or not value > 0:  # type: ignore[operator]  # it is a number
            raise ValueError(_wrong(line, key, "a number of pixels"))
        sides.append(value)
    return sides[0], sides[1]  # type: ignore[return-value]


def _pair(line: Line, key: str) -> tuple[float, float]:
    values = _numbers(line.get(key))
    if values is None or len(values) != 2 or min(values) <= 0:
        raise ValueError(_wrong(line, key, "a width and a height"))
    return values[0], values[1]


_CHECKS: dict[str, Callable[[Line, Sequence[str], tuple[float, float] | None], dict[str, Any]]] = {
    "caption": _caption,
    "vqa": _vqa,
    "ground": _ground,
    "count": _count,
    "classify": _classify,
}
