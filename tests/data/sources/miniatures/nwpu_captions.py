"""NWPU-Captions: `dataset_nwpu.json` and the unpacked `NWPU_images.tar.gz`, two classes of three pictures."""

from __future__ import annotations

import json
from pathlib import Path

from data.sources.miniatures.drawn import draw

CLASSES = ("airplane", "baseball_diamond")
SPLITS = ("train", "val", "test")


def write(root: Path, pictures: str = "NWPU-Captions/NWPU_images") -> None:
    content: dict[str, list[dict[str, object]]] = {}
    for label in CLASSES:
        for number, split in enumerate(SPLITS, 1):
            filename = f"{label}_{number:03}.jpg"
            record: dict[str, object] = {"filename": filename, "imgid": number, "split": split}
            for part, suffix in enumerate(("", "_1", "_2", "_3", "_4")):
                record[f"raw{suffix}"] = f"Caption {part}\u00a0of {filename} .\r\n"
                record[f"sentids{suffix}"] = 5 * number + part
                record[f"tokens{suffix}"] = ["caption", str(part)]
            content.setdefault(label, []).append(record)
            draw(root / pictures / label / filename, [], (16, 16))
    (root / "NWPU-Captions").mkdir(exist_ok=True)
    (root / "NWPU-Captions/dataset_nwpu.json").write_text(json.dumps(content), encoding="utf-8")
