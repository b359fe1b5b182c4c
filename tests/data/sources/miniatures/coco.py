"""COCO json in small: `coco/instances.json` and `coco/captions.json` on the pictures of `coco/images`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.sources.miniatures.drawn import OBJECTS, SIZE, draw_all

CATEGORIES = [
    {"id": 3, "name": "Ship", "supercategory": "vehicle"},
    {"id": 7, "name": "Storage-Tanks", "supercategory": "building"},
    {"id": 9, "name": "plane", "supercategory": "vehicle"},
]
NUMBERS = {"ship": 3, "storage tank": 7}


def instances() -> dict[str, Any]:
    images, annotations = [], []
    for place, (name, objects) in enumerate(OBJECTS.items()):
        width, height = SIZE
        images.append({"id": place, "file_name": name, "width": width, "height": height, "license": 1})
        for kind, (x1, y1, x2, y2) in objects:
            outline = (
                [x1, y1, x2, y1, x2, y2, x1, y2] if kind == "ship" else [x1, y2, (x1 + x2) / 2, y1, x2, y2]
            )
            annotations.append(
                {"id": 100 + len(annotations), "image_id": place, "category_id": NUMBERS[kind], "iscrowd": 0,
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "segmentation": [outline]}
            )  # fmt: skip
    licences = [{"id": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}]
    info = {"description": "drawn", "version": "1.0", "year": 2026}
    return {
        "info": info,
        "licenses": licences,
        "images": images,
        "annotations": annotations,
        "categories": CATEGORIES,
    }


def captions() -> dict[str, Any]:
    content = instances()
    texts = [(0, "two tanks beside a ship ."), (0, "A ship below two\n white tanks ."), (2, "open water .")]
    annotations = [{"id": i, "image_id": image, "caption": text} for i, (image, text) in enumerate(texts)]
    return {"info": content["info"], "images": content["images"], "annotations": annotations}


def write(root: Path) -> None:
    draw_all(root / "coco" / "images")
    for name, content in (("instances", instances()), ("captions", captions())):
        (root / "coco" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
