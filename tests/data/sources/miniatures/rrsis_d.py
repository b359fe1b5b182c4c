"""RRSIS-D in small: `RRSIS-D/rrsisd/{refs(unc).p,instances.json}`, `RRSIS-D/images/rrsisd/JPEGImages`."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from data.sources.miniatures.annotated import Box, paint, write_text
from skymoe.data.sources.coco_masks import packed

SIZE = (80, 60)
CATEGORIES = ("Expressway-Service-area", "airplane", "storagetank")
# Number, split, category, phrase, the box drawn by people, the box of the mask.
REFS: list[tuple[int, str, int, str, Box, Box]] = [
    (7, "train", 2, "The storage tank on the top", (10, 10, 30, 30), (11, 10, 30, 29)),
    (2, "train", 1, "The  airplane", (40, 10, 60, 40), (0, 0, 80, 60)),
    (3, "val", 0, "A gray service area", (5, 5, 70, 50), (5, 5, 70, 50)),
    (4, "test", 1, "An airplane parked on the right", (50, 10, 70, 30), (50, 10, 70, 30)),
]
EXPRESSIONS = {"train": 2, "val": 1, "test": 1}
PICTURE = "RRSIS-D/images/rrsisd/JPEGImages/00007.jpg"
ANNOTATION = "RRSIS-D/rrsisd/instances.json"


def runs(box: Box, size: tuple[int, int] = SIZE) -> list[int]:
    """The runs of a mask that is a box, column by column."""
    x1, y1, x2, y2 = box
    pixels = [x1 <= x < x2 and y1 <= y < y2 for x in range(size[0]) for y in range(size[1])]
    found, current = [0], False
    for pixel in pixels:
        if pixel != current:
            found.append(0)
            current = pixel
        found[-1] += 1
    return found


def write(root: Path) -> None:
    base = root / "RRSIS-D"
    refs: list[dict[str, Any]] = []
    images, annotations = [], []
    for number, split, category, phrase, drawn, mask in REFS:
        name = f"{number:05}.jpg"
        paint(base / "images/rrsisd/JPEGImages" / name, SIZE, [drawn])
        tokens = phrase.split()
        refs.append({"image_id": number, "split": split, "file_name": name, "category_id": category, "ann_id": number,
                     "sentences": [{"tokens": tokens, "raw": phrase, "sent_id": number, "sent": " ".join(tokens)}],
                     "sent_ids": [number], "ref_id": number})  # fmt: skip
        images.append({"file_name": name, "height": SIZE[1], "width": SIZE[0], "id": number})
        segmentation = [{"size": [SIZE[1], SIZE[0]], "counts": packed(runs(mask))}]
        annotations.append({"bbox": list(drawn), "categories_id": category, "id": number, "image_id": number,
                            "segmentation": segmentation, "area": 1})  # fmt: skip
    content = {"images": images, "annotations": annotations,
               "categories": [{"name": name, "id": number} for number, name in enumerate(CATEGORIES)]}  # fmt: skip
    write_text(base / "rrsisd/instances.json", json.dumps(content))
    (base / "rrsisd/refs(unc).p").write_bytes(pickle.dumps(refs))
