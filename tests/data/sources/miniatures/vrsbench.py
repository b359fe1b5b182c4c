"""VRSBench in small: `VRSBench/Annotations_{train,val}/*.json`, `VRSBench/Images_{train,val}/*.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data.sources.miniatures.annotated import paint, write_text

PICTURES: dict[str, dict[str, dict[str, Any]]] = {
    "train": {
        "P0003_0002": {
            "caption": "The image, sourced from GoogleEarth,  shows two planes.",
            "objects": [
                {"obj_id": 0, "obj_cls": "plane", "referring_sentence": "The large plane on the left.",
                 "obj_coord": [0.1, 0.1, 0.3, 0.3], "obj_corner": [0.2, 0.1, 0.3, 0.2, 0.2, 0.3, 0.1, 0.2],
                 "obj_position": "left", "obj_size": "large", "is_unique": False},
                {"obj_id": 1, "obj_cls": "plane", "obj_coord": [0.6, 0.1, 0.8, 0.3], "is_unique": False},
                {"obj_id": 2, "obj_cls": "large-vehicle", "referring_sentence": "The truck at the bottom.",
                 "obj_coord": [0.5, 0.9, 0.55, 0.9], "is_unique": True},
            ],
            "qa_pairs": [
                {"ques_id": 0, "question": "How many planes are there?", "type": "object quantity", "answer": "2"},
                {"ques_id": 1, "question": "What color is the left plane?", "type": "object color", "answer": "White"},
            ],
        },
        "00012": {"caption": "A harbor.", "objects": [], "qa_pairs": []},
    },
    "val": {
        "P1000_0001": {
            "caption": "A tennis court.",
            "objects": [{"obj_id": 0, "obj_cls": "tennis-court", "referring_sentence": "The only tennis court.",
                         "obj_coord": [0.25, 0.4, 0.33, 0.6], "is_unique": True}],
            "qa_pairs": [{"ques_id": 0, "question": "Is there a court?", "type": "object existence", "answer": "Yes"}],
        }
    },
}  # fmt: skip
EXPRESSIONS = {"train": 2, "test": 1}
PICTURE = "VRSBench/Images_train/P0003_0002.png"
ANNOTATION = "VRSBench/Annotations_train/P0003_0002.json"


def write(root: Path) -> None:
    for part, pictures in PICTURES.items():
        for stem, content in pictures.items():
            paint(root / f"VRSBench/Images_{part}/{stem}.png", (512, 512))
            record = {"image": f"{stem}.png", **content}
            write_text(root / f"VRSBench/Annotations_{part}/{stem}.json", json.dumps(record, indent=4))
