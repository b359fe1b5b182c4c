"""The worst answers of a benchmark, with their pictures: kept beside its predictions, so the page needs no data set.

``examples.json`` has the pictures inside (small JPEGs), which mistakes are made most often, and what the drawings need.
The worst come first: unparsable answers, then the most wrong, of equally wrong ones those the model was surest of; one
a picture, and one a kind of mistake as long as there are others.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from skymoe.boxes import Box
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.metrics import caption
from skymoe.evaluation.report.beside import published_name
from skymoe.evaluation.scoring import details, score_records
from skymoe.pictures import open_sample
from skymoe.sample import Sample
from skymoe.tasks.vqa import normalise_answer

Record = Mapping[str, Any]
SHOWN = 8
CONFUSIONS = 8
SIDE = 320  # pixels: twice what a card of the page is wide on a telephone
_FILE = "examples.json"


@dataclass(frozen=True)
class _Mistake:
    """A wrong answer: the worse, the greater ``badness``; ``kind`` is what was taken for what."""

    place: int
    badness: float
    why: str
    kind: tuple[str, str] = ("", "")


def complete(
    result: Mapping[str, Any],
    records: Sequence[Record],
    folder: Path,
    items: Sequence[Item] = (),
    *,
    judged: Sequence[Record] | None = None,
    boxes: str = "geochat",
    seed: int = 0,
) -> dict[str, Any]:
    """The result of one benchmark with what only the report needs; ``examples.json`` is written into ``folder``.

    Added are ``paper`` (the same answers by protocol ``paper``, where the SkyMoE paper has the data set) and ``sizes``
    (how many items each part has). ``items`` bring the pictures: without them, or where a picture is gone, the
    examples are shown without. ``judged`` are `Score.items`, where they are at hand.
    """
    task = result["task"]
    samples = {item.id: item.sample for item in items}
    found = {**result, "sizes": sizes(task, records)}
    if published_name(folder.name, result):
        found["paper"] = _paper(task, records, boxes, seed)
    _keep(folder, gather(task, records, samples, judged=judged, boxes=boxes))
    return found


def _paper(task: str, records: Sequence[Record], boxes: str, seed: int) -> dict[str, Any]:
    try:
        score = score_records(task, records, protocol="paper", boxes=boxes, seed=seed).to_dict()
    except UserError as error:  # a package that only these rules need
        return {"metrics": {}, "by": {}, "notes": {"paper": str(error)}}
    return {name: score[name] for name in ("unparsable", "metrics", "by", "notes")}


def sizes(task: str, records: Sequence[Record]) -> dict[str, int]:
    """How many items each question type or class has."""
    field = {"vqa": "question_type", "classify": "reference"}.get(task)
    return dict(sorted(Counter(str(record[field]) for record in records).items())) if field else {}


def gather(
    task: str,
    records: Sequence[Record],
    samples: Mapping[str, Sample],
    *,
    judged: Sequence[Record] | None = None,
    boxes: str = "geochat",
) -> dict[str, Any]:
    """Plain JSON types: ``n``, ``wrong``, the worst answers ``shown``, ``confusions``, and ``drawn`` for the charts."""
    if judged is None:
        judged = _judge(task, records, boxes)
    wrong = _mistakes(task, records, judged)
    return {
        "task": task,
        "n": len(records),
        "wrong": len(wrong) if task != "caption" else None,
        "shown": [
            _shown(task, records[one.place], judged[one.place], one.why, samples)
            for one in _worst(records, judged, wrong)
        ],
        "confusions": _confusions(task, wrong),
        "drawn": _drawn(task, records, judged),
    }


def read_examples(folder: Path) -> dict[str, Any] | None:
    """What :func:`complete` left in a benchmark's folder, None where it left nothing that can be read."""
    try:
        found = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("shown"), list) else None


def _keep(folder: Path, examples: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_FILE}.part"
    part.write_text(json.dumps(examples) + "\n", encoding="utf-8")
    os.replace(part, folder / _FILE)


def _judge(task: str, records: Sequence[Record], boxes: str) -> Sequence[Record]:
    if task != "caption":
        return details(task, records, boxes=boxes)
    # Without METEOR: it takes long and orders nothing here.
    found = caption.evaluate(
        [r["prediction"] for r in records], [r["references"] for r in records], with_meteor=False
    ).per_image["cider"]
    return [
        {"parsed": record["prediction"], "cider": score} for record, score in zip(records, found, strict=True)
    ]


# --- what is wrong, and how wrong --------------------------------------------------------------------------


def _mistakes(task: str, records: Sequence[Record], judged: Sequence[Record]) -> list[_Mistake]:
    # No caption is simply wrong: the worse half is looked at.
    middle = sorted(one["cider"] for one in judged)[len(judged) // 2] if task == "caption" else 0.0
    found = []
    for place, (record, one) in enumerate(zip(records, judged, strict=True)):
        if one["cider"] > middle if task == "caption" else one["correct"]:
            continue
        badness, why, kind = _mistake(task, record, one)
        found.append(_Mistake(place, badness, why if one["parsed"] is not None else "unparsable", kind))
    return found


def _mistake(task: str, record: Record, one: Record) -> tuple[float, str, tuple[str, str]]:
    given = one["parsed"]
    if task == "caption":
        return (
            1 / (1 + one["cider"]),
            f"CIDEr {one['cider']:.2f}",
            ("", normalise_answer(record["prediction"])),
        )
    if task == "ground":
        return 1 - one["iou"], f"IoU {one['iou']:.2f}", ("", "")
    if task == "count":
        off = (given or 0) - record["reference"]
        return abs(off), f"{abs(off):,} too {'many' if off > 0 else 'few'}", ("", "")
    if task == "vqa":
        return 1.0, str(record["question_type"]), (normalise_answer(record["reference"]), given or "")
    return 1.0, "", (record["reference"], given or "")


# --- choosing and showing ----------------------------------------------------------------------------------


def _worst(records: Sequence[Record], judged: Sequence[Record], wrong: Sequence[_Mistake]) -> list[_Mistake]:
    def order(one: _Mistake) -> tuple[Any, ...]:
        sure = records[one.place].get("confidence")
        read = judged[one.place]["parsed"] is not None
        return read, -one.badness, -(sure if sure is not None else 0), one.place

    chosen: list[_Mistake] = []
    kinds: set[tuple[str, str]] = set()
    pictures: set[str] = set()
    ranked = sorted(wrong, key=order)
    for again in (False, True):  # other kinds of mistakes first, then more of the same
        for one in ranked:
            picture = str(records[one.place]["id"]).partition("#")[0]
            if (
                len(chosen) == SHOWN
                or picture in pictures
                or (one.kind in kinds and any(one.kind) and not again)
            ):
                continue
            chosen.append(one)
            kinds.add(one.kind)
            pictures.add(picture)
    return sorted(chosen, key=order)


def _shown(task: str, record: Record, one: Record, why: str, samples: Mapping[str, Sample]) -> dict[str, Any]:
    sample = samples.get(record["id"])
    found: dict[str, Any] = {
        "id": str(record["id"]),
        "question": str(record.get("question", "")),
        "references": [str(text) for text in record.get("references") or [record["reference"]]],
        "prediction": record["prediction"],
        "why": why,
        "confidence": record.get("confidence"),
        "picture": None if sample is None else _thumbnail(sample),
    }
    if sample is not None:
        found |= {"width": sample.width, "height": sample.height}
    if task == "ground":
        found |= {"width": record["width"], "height": record["height"], "references": []}
        boxes = [
            ("reference", record["reference"]),
            *([("prediction", one["parsed"])] if one["parsed"] else []),
        ]
        found["boxes"] = [
            {"who": who, "points": [round(edge, 2) for edge in Box(*box).polygon()]} for who, box in boxes
        ]
    return found


def _thumbnail(sample: Sample) -> str | None:
    try:
        picture = open_sample(sample)
    except UserError:
        return None
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    picture.convert("RGB").save(memory, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


def _confusions(task: str, wrong: Sequence[_Mistake]) -> list[dict[str, Any]]:
    if task not in ("classify", "vqa"):
        return []
    pairs = Counter(one.kind for one in wrong)
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"reference": a, "prediction": b, "n": n} for (a, b), n in ranked[:CONFUSIONS] if n > 1]


def _drawn(task: str, records: Sequence[Record], judged: Sequence[Record]) -> list[list[float]]:
    """Counts: [true, answered, how often]; boxes: [IoU threshold, share of answers that reach it]."""
    if task == "count":
        pairs = Counter((r["reference"], one["parsed"] or 0) for r, one in zip(records, judged, strict=True))
        return [[true, given, n] for (true, given), n in sorted(pairs.items())]
    if task == "ground":
        overlaps = [one["iou"] for one in judged]
        steps = [step / 20 for step in range(21)]
        return [[t, sum(overlap >= t for overlap in overlaps) / len(overlaps)] for t in steps]
    return []
