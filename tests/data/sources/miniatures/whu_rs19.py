"""WHU-RS19 in small: three pictures a class, `WHU-RS19/<Class>/<class>_01.jpg`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

CLASSES = [
    "Airport",
    "Beach",
    "Bridge",
    "Commercial",
    "Desert",
    "Farmland",
    "Forest",
    "Industrial",
    "Meadow",
    "Mountain",
    "Park",
    "Parking",
    "Pond",
    "Port",
    "Residential",
    "River",
    "Viaduct",
    "footballField",
    "railwayStation",
]


def write(root: Path, numbers: tuple[int, ...] = (1, 2, 50)) -> None:
    for place, label in enumerate(CLASSES):
        folder = root / "WHU-RS19" / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            name = f"{label[0].lower()}{label[1:]}_{number:02}.jpg"
            Image.new("RGB", (12, 12), (12 * place, number, 60)).save(folder / name)
