"""Prediction files of other projects, line by line, into ours. Only the form changes: nothing is scored their way.

=========  ==================================================================================================
format     what its scripts write
=========  ==================================================================================================
geochat    JSONL: ``question_id``, ``answer``, ``ground_truth`` (scenes: the folder in ``question_id``; grounding:
           corner lists in pixels of every object; questions: none, so they need a file of references), ``size_group``
lhrs       one JSON array: ``pred``, ``target``, ``question_id`` and ``types`` or ``filename``; boxes
           ``[x1, y1, x2, y2]`` 0–1 in text
vrsbench   JSONL: ``question_id``, ``answer`` (``predicted`` after a judge), ``ground_truth``, ``type``; boxes
           ``{<x1><y1><x2><y2>}`` 0–100 in text; all pictures are 512 × 512
earthdial  JSONL: ``answer``, ``annotation``, ``vqa_type``; ``caption0`` … ``caption4``; ``gt_bbox`` with boxes
           ``[[x1, y1, x2, y2, θ]]`` 0–100 in text
=========  ==================================================================================================

A reference of several objects cannot be judged by one box: such a line is refused, never cut down to its first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from skymoe.boxes import parse_boxes, polygon_bounds
from skymoe.errors import UserError
from skymoe.evaluation.checking import HUNDREDTHS, kind_of, picture_size, quoted
from skymoe.tasks.numbers import parse_count

Fields = dict[str, Any]
FORMATS = ("geochat", "lhrs", "vrsbench", "earthdial")
VRSBENCH_SIDE = 512.0
_NUMBER = r"\s*(-?\d{1,6}(?:\.\d{1,12})?)\s*"
_FIVE = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}(?:,{_NUMBER})?\]")
_TYPES = ("question_type", "vqa_type", "types", "type", "category")
_CAPTIONS = re.compile(r"caption\d+")


@dataclass
class Converter:
    """Rewrites the objects of one file, in order; ``boxes`` is the notation its answers are then written in.

    ``image_size`` is what the user says of the pictures' width and height, where the file does not.
    """

    format: str
    task: str
    image_size: tuple[float, float] | None = None
    _times: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UserError(f"--convert {self.format!r} is not known: choose one of {', '.join(FORMATS)}")

    @property
    def boxes(self) -> str:
        return "unit" if self.format == "lhrs" else "geochat"

    def __call__(self, line: Fields, number: int) -> Fields:
        """Our line; ValueError with the reason where the object lacks what their files have."""
        answer, truth = self._answer(line), self._truth(line)
        record: Fields = {"id": self._identity(line, number), "prediction": answer}
        if self.task == "caption":
            return {**record, "references": truth if isinstance(truth, list) else [truth]}
        if self.task == "vqa":
            # EarthDial's shards hold texts within quotation marks, which its script takes off elsewhere.
            kinds = [
                kind for key in _TYPES if isinstance(line.get(key), str) and (kind := line[key].strip('" '))
            ]
            labels = {"labels": line["labels"]} if "labels" in line else {}
            return {**record, "reference": _as_text(truth), "question_type": [*kinds, "all"][0], **labels}
        if self.task == "count":
            count = parse_count(_as_text(truth))
            if count is None:
                raise ValueError(f"its reference {quoted(truth)} is no number")
            return {**record, "reference": count}
        if self.task == "classify":
            labels = {"labels": line["labels"]} if "labels" in line else {}
            return {**record, "reference": truth, **labels}
        return {**record, **self._box(line, answer, truth)}

    def _answer(self, line: Fields) -> str:
        keys = ("pred",) if self.format == "lhrs" else ("answer", "predicted")
        for key in keys:
            if isinstance(line.get(key), str):
                return line[key]
        raise ValueError(f'it has no text "{keys[0]}", which {self.format} files have')

    def _truth(self, line: Fields) -> Any:
        if self.format == "earthdial" and self.task == "caption":
            captions = [line[key] for key in sorted(line) if _CAPTIONS.fullmatch(key)]
            # Absent captions are empty there.
            if captions := [text for text in captions if not isinstance(text, str) or text.strip()]:
                return captions
        keys = {
            "geochat": ("ground_truth",),
            "lhrs": ("target",),
            "vrsbench": ("ground_truth",),
            "earthdial": ("gt_bbox",) if self.task == "ground" else ("annotation", "groundtruth"),
        }[self.format]
        for key in keys:
            if line.get(key) not in (None, ""):
                return line[key]
        if self.format == "geochat" and self.task == "classify":
            folder, slash, _ = str(line.get("question_id", "")).partition("/")
            if slash:
                return folder
        raise ValueError(f'it has no "{keys[0]}": give the file that has it with --references')

    def _identity(self, line: Fields, number: int) -> str | int:
        for key in ("id", "question_id"):
            if isinstance(line.get(key), str | int) and line[key] != "":
                return line[key]
        if isinstance(line.get("filename"), str):
            # One picture has several phrases: the first keeps its name.
            name = line["filename"]
            self._times[name] += 1
            return name if self._times[name] == 1 else f"{name}#{self._times[name]}"
        return str(number)

    def _box(self, line: Fields, answer: str, truth: Any) -> Fields:
        default = self.image_size or ((VRSBENCH_SIDE, VRSBENCH_SIDE) if self.format == "vrsbench" else None)
        known = default is not None or line.get("width") is not None or line.get("height") is not None
        size = picture_size(line, default) if known else None
        group = {"size_group": line["size_group"]} if line.get("size_group") else {}
        if isinstance(truth, list):
            if size is None:
                raise ValueError(
                    "its reference is in pixels, and the size of the picture is nowhere: say --image-size"
                )
            return {"reference": _corners(truth), "width": size[0], "height": size[1], **group}
        sides = {} if size is None else {"width": size[0], "height": size[1]}
        if self.format == "earthdial":
            said = {"prediction": angle_brackets(answer), "reference": angle_brackets(_as_text(truth))}
            return {**said, **sides, **group}
        if self.format != "lhrs":
            return {"reference": truth, **sides, **group}
        # Their text becomes ours, which is relative to the picture as well.
        boxes = parse_boxes(_as_text(truth), *HUNDREDTHS, "unit")
        if len(boxes) != 1:
            raise ValueError(f"its reference {quoted(truth)} holds {len(boxes)} boxes, not one")
        text = "".join(f"<{edge:.6f}>" for edge in boxes[0].xyxy)
        return {"reference": f"{{{text}}}", **sides, **group}


def angle_brackets(text: str) -> str:
    """Boxes ``[x1, y1, x2, y2, θ]`` (0–100) in a text as ``{<x1><y1><x2><y2>|<θ>}``; the rest stays."""

    def rewritten(match: re.Match[str]) -> str:
        *edges, angle = match.groups()
        return "{" + "".join(f"<{edge}>" for edge in edges) + (f"|<{angle}>" if angle else "") + "}"

    return _FIVE.sub(rewritten, text)


def _as_text(truth: Any) -> str:
    """A number as the text it would be written as; ValueError for what is neither."""
    if not isinstance(truth, str | int | float) or isinstance(truth, bool):
        raise ValueError(f"its reference is {kind_of(truth)}, not text")
    return str(truth)


def _corners(truth: list[Any]) -> list[Any]:
    """One object's corners [[x, y], …] as x1, y1, …; what has another form stays for the check to judge."""
    if truth and all(_is_outline(part) for part in truth):
        if len(truth) > 1:
            raise ValueError(f"its reference holds {len(truth)} objects: one box a line is judged here")
        truth = truth[0]
    if not _is_outline(truth):
        return truth
    flat = [value for point in truth for value in point]
    return flat if len(flat) == 8 else list(polygon_bounds(flat))


def _is_outline(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 3
        and all(isinstance(point, list) and len(point) == 2 and _all_numbers(point) for point in value)
    )


def _all_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
