"""Sydney-Captions as unpacked from `Sydney_captions.zip` and its `imgs.rar`: six pictures."""

from __future__ import annotations

import json
from pathlib import Path

from data.sources.miniatures.drawn import draw

SPLITS = ("train", "train", "train", "val", "test", "test")


def write(root: Path, folder: str = "Sydney_captions", pictures: str = "imgs") -> None:
    home = root / folder
    images, sentence = [], 0
    for number, split in enumerate(SPLITS, 1):
        sentences = []
        for part in range(5):
            raw = f"Residential area {number} with houses arranged neatly , sentence {part} ."
            tokens = raw.lower().removesuffix(" .").replace(" ,", "").split()
            sentences.append({"tokens": tokens, "raw": raw, "imgid": number - 1, "sentid": sentence})
            sentence += 1
        images.append({"sentids": [s["sentid"] for s in sentences], "imgid": number - 1, "sentences": sentences,
                       "split": split, "filename": f"{number}.tif"})  # fmt: skip
        draw(home / pictures / f"{number}.tif", [], (50, 50))
    (home / "dataset.json").write_text(json.dumps({"images": images, "dataset": "sydney"}), encoding="utf-8")
