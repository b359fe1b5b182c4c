"""Pictures in class folders in small: `scenes/<class>/…`, and split `split-scenes/<split>/<class>/…`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.drawn import draw

CLASSES = ("Harbor", "OilTanks", "open_water")


def write(root: Path) -> None:
    for place, label in enumerate(CLASSES):
        for number in range(4):
            objects = [("ship", (4.0, 4.0, 10.0 + 8 * place, 20.0 + number))]
            draw(root / f"scenes/{label}/{label.lower()}_{number}.png", objects)
            split = "train" if number < 2 else "valid" if number == 2 else "test"
            draw(root / f"split-scenes/{split}/{label}/{number}.png", objects)
