"""VRSBench: captions, questions and expressions on pictures cut from DOTA and DIOR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from skymoe.data.sources.dior import NAMES as DIOR_NAMES
from skymoe.data.sources.dota import CLASSES as DOTA_CLASSES
from skymoe.data.sources.expression_source import ExpressionSource, RawExpression
from skymoe.data.sources.object_source import plain
from skymoe.sample import Question, Sample

SIDE = 512
OFFICIAL = {"train": "train", "test": "val"}
KINDS = {
    "object existence": "presence", "object quantity": "count", "object position": "location",
    "scene type": "theme",
}  # fmt: skip
_NAMES = DIOR_NAMES | DOTA_CLASSES["2.0"]


class VrsBench(ExpressionSource):
    """VRSBench (Li et al. 2024): 29,614 pictures, 512×512 px, cut from DOTA 2.0 and DIOR, each with a detailed caption,
    together 52,472 expressions and 123,221 questions, written by GPT-4V and corrected by people.

    Layout: ``VRSBench/Annotations_{train,val}/*.json``, ``VRSBench/Images_{train,val}/*.png``, as
    huggingface.co/datasets/xiang709/VRSBench unpacks. Official split 20,264 pictures for training and 9,350 called
    "val", on which all published numbers are: they are "test" here, so that nothing trains on them, and there is no
    "val". The test part has 16,159 expressions and 37,409 questions.

    Boxes are written as shares of the picture with two decimals (5 px): small objects have coarse boxes. Kinds of
    questions: presence, count, location, theme for the official "object existence", "object quantity", "object
    position", "scene type"; the others keep their word (category, color, shape, size, direction, reasoning).

    Licence: CC BY 4.0 (the pictures under the terms of DOTA and DIOR). Citation: X. Li, J. Ding, M. Elhoseiny:
    VRSBench: a versatile vision-language benchmark dataset for remote sensing image understanding, NeurIPS 2024.
    Known faults: 13 of the test boxes have no area (quarantined); phrases may fit several objects (quarantined unless
    ``ambiguous=True``). Not verified here on the real files: that the corners (``obj_corner``) are shares, too;
    numbers above 1.5 are taken for pixels.
    """

    name = "vrsbench"
    licence = "CC BY 4.0"
    folder = "VRSBench"
    needs = ("Annotations_train", "Annotations_val", "Images_train", "Images_val")
    where = "VRSBench (huggingface.co/datasets/xiang709/VRSBench)"
    counts = {"train": 20264, "test": 9350}
    totals = {
        "expressions": {"test": 16159},
        "questions": {"test": 37409},
        "captions": {"train": 20264, "test": 9350},
    }
    splits = ("train", "test")

    def _samples(self, split: str) -> Iterator[Sample]:
        part = OFFICIAL[split]
        for path in sorted((self.home / f"Annotations_{part}").glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                picture = self.home / f"Images_{part}" / str(record.get("image") or f"{path.stem}.png")
                raw = [
                    _expression(f"{path.stem}#{n}", one) for n, one in enumerate(record.get("objects") or ())
                ]
                also = {
                    "captions": tuple(filter(None, [" ".join(str(record.get("caption") or "").split())])),
                    "questions": tuple(_question(one) for one in record.get("qa_pairs") or ()),
                }
            except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
                self.quarantine(
                    path.stem, f"annotation {path.name} is damaged ({type(error).__name__}: {error})"
                )
                continue
            asked = [one for one in raw if one.phrase]
            sample = self.picture(path.stem, picture, split, asked, **also)
            if sample is not None:
                yield sample


def _expression(entry: str, one: dict[str, Any]) -> RawExpression:
    """An object of a file; its phrase is empty where nobody refers to it."""
    corners, box = _pixels(one.get("obj_corner")), _pixels(one.get("obj_coord"))
    word = str(one.get("obj_cls") or "")
    name = _NAMES.get(plain(word), word.replace("-", " ").replace("_", " ").lower())
    phrase = " ".join(str(one.get("referring_sentence") or "").split())
    return RawExpression(entry, phrase, corners if len(corners) == 8 else box, name, box or None)


def _pixels(values: Any) -> tuple[float, ...]:
    """Shares of the picture in pixels; what is given in pixels stays."""
    if not isinstance(values, (list, tuple)):
        return ()
    flat = [float(v) for value in values for v in (value if isinstance(value, (list, tuple)) else (value,))]
    scale = SIDE if max(flat, default=0) <= 1.5 else 1
    return tuple(value * scale for value in flat)


def _question(one: dict[str, Any]) -> Question:
    kind = str(one.get("type") or "").lower()
    return Question(
        " ".join(str(one["question"]).split()),
        " ".join(str(one["answer"]).split()),
        KINDS.get(kind, kind.removeprefix("object ") or "other"),
    )
