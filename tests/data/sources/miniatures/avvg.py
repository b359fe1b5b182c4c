"""AVVG in small, as in refGeo: `refGeo/metainfo/avvg_{train,test}.jsonl`, `refGeo/images/avvg`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.sources.miniatures.annotated import paint, write_text

TRAIN: list[dict[str, Any]] = [
    {"image_id": "d1_0001.jpg", "question": "the red car near the crossing", "bbox": [10, 10, 30, 30],
     "poly": [[20, 10], [30, 20], [20, 30], [10, 20]]},
    {"image_id": "d1_0001.jpg", "question": "the white truck.", "bbox": [50, 10, 70, 20],
     "poly": [[50, 10], [70, 10], [70, 20], [50, 20]]},
    {"image_id": "d1_0001.jpg", "question": "white vehicles", "bbox": [50, 10, 70, 20]},
    {"image_id": "d1_0001.jpg", "question": "white vehicles", "bbox": [50, 40, 70, 50]},
    {"image_id": "d1_0002.png", "question": "the bus\nat the bottom", "bbox": [5, 40, 60, 55]},
]  # fmt: skip
TEST: list[dict[str, Any]] = [{"image_id": "d2_0001.jpg", "question": "the only van", "bbox": [5, 5, 25, 15]}]
EXPRESSIONS = {"train": 5, "test": 1}
PICTURE = "refGeo/images/avvg/d1_0001.jpg"
ANNOTATION = "refGeo/metainfo/avvg_train.jsonl"


def lines(records: list[dict[str, Any]], part: str) -> str:
    """One record a line, but texts with a line break unescaped, as some files have them."""
    text = ""
    for number, record in enumerate(records):
        line = json.dumps({"id": number, "dataset": part} | record)
        text += line.replace("\\n", "\n") + "\n"
    return text


def write(root: Path) -> None:
    home = root / "refGeo"
    write_text(home / "metainfo/avvg_train.jsonl", lines(TRAIN, "avvg"))
    write_text(home / "metainfo/avvg_test.jsonl", lines(TEST, "avvg"))
    for name in ("d1_0001.jpg", "d1_0002.jpg", "d2_0001.jpg"):  # the record says .png of the second
        paint(home / "images/avvg" / name, (80, 60))
