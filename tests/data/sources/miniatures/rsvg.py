"""RSVG in small, in both layouts: MDETR's json with `rsvg/images`, and refGeo's lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.sources.miniatures.annotated import paint, write_text
from data.sources.miniatures.avvg import lines

Entry = tuple[str, str, tuple[int, int, int, int]]
ENTRIES: dict[str, list[Entry]] = {
    "train": [("2.jpg", "the bridge over the river", (5, 20, 75, 30)), ("10.jpg", "A baseball field", (10, 10, 40, 40)),
              ("10.jpg", "the playground left of it", (42, 10, 70, 40))],
    "val": [("3.jpg", "the large ship", (10, 10, 40, 20))],
    "test": [("4.jpg", "a roundabout", (20, 10, 60, 50))],
}  # fmt: skip
EXPRESSIONS = {"train": 3, "val": 1, "test": 1}
PICTURE = "rsvg/images/10.jpg"
ANNOTATION = "rsvg/mdetr_annotations/finetune_rsvg_train.json"


def write(root: Path) -> None:
    for split, entries in ENTRIES.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, (name, phrase, (x1, y1, x2, y2)) in enumerate(entries):
            paint(root / "rsvg/images" / name, (80, 60), [(x1, y1, x2, y2)])
            images.append({"file_name": name, "height": 60, "width": 80, "id": number, "original_id": number,
                           "caption": phrase, "dataset_name": "rsvg"})  # fmt: skip
            annotations.append({"area": (x2 - x1) * (y2 - y1), "iscrowd": 0, "image_id": number, "category_id": 1,
                                "id": number, "bbox": [x1, y1, x2 - x1, y2 - y1],
                                "tokens_positive": [[0, len(phrase)]]})  # fmt: skip
        content = {"info": [], "licenses": [], "images": images, "annotations": annotations, "categories": []}
        write_text(root / "rsvg/mdetr_annotations" / f"finetune_rsvg_{split}.json", json.dumps(content))


def write_refgeo(root: Path) -> None:
    for split, entries in ENTRIES.items():
        records = [{"image_id": name, "question": phrase, "bbox": box} for name, phrase, box in entries]
        write_text(root / f"refGeo/metainfo/rsvg_{split}.jsonl", lines(records, "rsvg"))
        for name, _, box in entries:
            paint(root / "refGeo/images/RSVG" / name, (80, 60), [box])
