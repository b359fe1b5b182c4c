"""NWPU-RESISC45 in small: three pictures a class, `NWPU-RESISC45/<class>/<class>_001.jpg`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from skymoe.data.sources.resisc45 import CLASSES


def write(root: Path, numbers: tuple[int, ...] = (1, 2, 700)) -> None:
    for place, label in enumerate(CLASSES):
        folder = root / "NWPU-RESISC45" / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            colour = (5 * place, number % 256, 90)
            Image.new("RGB", (8, 8), colour).save(folder / f"{label}_{number:03}.jpg")
