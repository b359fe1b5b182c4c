"""UC Merced in small: four pictures a class, `UCMerced_LandUse/Images/<class>/<class>00.tif`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

CLASSES = [
    "agricultural",
    "airplane",
    "baseballdiamond",
    "beach",
    "buildings",
    "chaparral",
    "denseresidential",
    "forest",
    "freeway",
    "golfcourse",
    "harbor",
    "intersection",
    "mediumresidential",
    "mobilehomepark",
    "overpass",
    "parkinglot",
    "river",
    "runway",
    "sparseresidential",
    "storagetanks",
    "tenniscourt",
]


def write(root: Path, numbers: tuple[int, ...] = (0, 13, 84, 95)) -> None:
    for place, label in enumerate(CLASSES):
        folder = root / "UCMerced_LandUse" / "Images" / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            Image.new("RGB", (16, 16), (12 * place, number, 30)).save(folder / f"{label}{number:02}.tif")
    (root / "UCMerced_LandUse" / "readme.txt").write_text("UC Merced Land Use Dataset\n", encoding="utf-8")
