"""RSITMD as unpacked from `RSITMD.zip`: five pictures."""

from __future__ import annotations

import json
from pathlib import Path

from data.sources.miniatures.drawn import draw

PICTURES = (("airport_10.jpg", "train"), ("boat_8640.tif", "train"), ("parkinglot_3.tif", "train"),
            ("airport_11.jpg", "test"), ("00623.jpg", "test"))  # fmt: skip


def write(root: Path) -> None:
    images = []
    for number, (filename, split) in enumerate(PICTURES):
        sentences = [
            {"raw": f"Sentence {part} of {filename} .", "imgid": number, "sentid": 5 * number + part}
            for part in range(5)
        ]
        images.append({"filename": filename, "imgid": number, "sentences": sentences, "split": split,
                       "sentids": [s["sentid"] for s in sentences]})  # fmt: skip
        draw(root / "RSITMD/images" / filename, [], (32, 32))
    (root / "RSITMD/dataset_RSITMD.json").write_text(
        json.dumps({"images": images, "dataset": "RSITMD"}), encoding="utf-8"
    )
