"""The grounding sets in refGeo's form: JSON lines that name a picture, a phrase and its box."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skymoe.data.sources.expression_source import ExpressionSource, RawExpression
from skymoe.data.sources.object_source import PICTURES
from skymoe.data.sources.reading import malformed
from skymoe.errors import UserError
from skymoe.sample import Sample

_DECODER = json.JSONDecoder(strict=False)  # some records are broken over lines, within their texts


class RefGeoSource(ExpressionSource):
    """A part of refGeo (Zhou et al. 2024, huggingface.co/datasets/erenzhou/refGeo).

    ``refGeo/metainfo/<part>_<split>.jsonl`` holds records with ``image_id``, ``question`` (the phrase), ``bbox`` (x1,
    y1, x2, y2 in pixels) and mostly ``poly`` (four corners); pictures are in ``refGeo/images/<part>``. A picture may
    have another suffix than the record says.
    """

    part: str

    def refgeo_samples(self, split: str) -> Iterator[Sample]:
        """One sample a picture, in the order in which the file first names them."""
        path = self.home / "refGeo/metainfo" / f"{self.part}_{split}.jsonl"
        folder = self._pictures()
        groups: dict[str, list[RawExpression]] = defaultdict(list)
        for number, (record, reason) in enumerate(records(path, self.name)):
            entry = f"{path.stem}#{number}"
            if record is None:
                self.quarantine(entry, reason)
                continue
            raw = _expression(entry, record)
            if raw is None:
                self.quarantine(entry, "the record has no image_id, question and bbox or poly")
            else:
                groups[str(record["image_id"])].append(raw)
        for image, raws in groups.items():
            sample = self.picture(image.rpartition(".")[0] or image, _suffixed(folder / image), split, raws)
            if sample is not None:
                yield sample

    def _pictures(self) -> Path:
        images = self.home / "refGeo/images"
        named = [folder for folder in sorted(images.iterdir()) if folder.name.lower() == self.part]
        if not named:
            raise UserError(f"{self.name}: no folder {self.part} in {images}; unpack its pictures there")
        return named[0]


def records(path: Path, source: str) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """The records of a file of JSON objects, one after another; None and the reason for what is none.

    After something damaged, reading goes on at the next line that begins an object. UserError when there is not a
    single record.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: {path} can't be read as text; get the data set again") from error
    position, good = 0, 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            record, position = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError:
            line = text.count("\n", 0, position) + 1
            following = text.find("\n{", position)
            position = len(text) if following < 0 else following + 1
            yield None, f"line {line} of {path.name} is no JSON"
            continue
        good += isinstance(record, dict)
        yield (record, "") if isinstance(record, dict) else (None, f"a record of {path.name} is no object")
    if not good:
        raise malformed(path, "there is no record in it", source)


def _expression(entry: str, record: dict[str, Any]) -> RawExpression | None:
    phrase, box, outline = record.get("question"), _numbers(record.get("bbox")), _numbers(record.get("poly"))
    if not isinstance(phrase, str) or not record.get("image_id") or not (box or outline):
        return None
    return RawExpression(entry, " ".join(phrase.split()), outline or box, box=box or None)


def _numbers(values: Any) -> tuple[float, ...]:
    """The numbers of a flat list or of a list of points; none for anything else."""
    try:
        if isinstance(values[0], (list, tuple)):
            values = [value for point in values for value in point]
        return tuple(float(value) for value in values)
    except (TypeError, ValueError, LookupError):
        return ()


def _suffixed(path: Path) -> Path:
    if path.is_file():
        return path
    others = (path.with_suffix(suffix) for suffix in (*PICTURES, ".JPG", ".PNG"))
    return next((other for other in others if other.is_file()), path)
