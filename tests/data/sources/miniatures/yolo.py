"""YOLO in small: `yolo/data.yaml`, `yolo/images/{train,val}`, `yolo/labels/{train,val}`; and with oriented boxes
`yolo-obb`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.drawn import OBJECTS, SIZE, draw

CLASSES = ["Ship", "storage_tank", "plane"]
NUMBERS = {"ship": 0, "storage tank": 1}
SPLITS = {"port.png": "train", "tank.png": "train", "sea.jpg": "train", "ships.png": "val"}


def write(root: Path) -> None:
    for folder, oriented in (("yolo", False), ("yolo-obb", True)):
        for name, objects in OBJECTS.items():
            place = Path(SPLITS[name]) / name
            draw(root / folder / "images" / place, objects)
            label = root / folder / "labels" / place.with_suffix(".txt")
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("".join(line(*item, oriented) for item in objects), encoding="utf-8")
        names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
        (root / folder / "data.yaml").write_text(
            f"path: ../datasets/{folder}  # dataset root dir\ntrain: images/train\nval: images/val\ntest:\n"
            f"\nnc: 3\nnames:\n{names}",
            encoding="utf-8",
        )


def line(kind: str, box: tuple[float, float, float, float], oriented: bool) -> str:
    """One object: centre and size, or four corners (a ship's bow is turned up by 4 px), as shares."""
    x1, y1, x2, y2 = box
    values = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    if oriented:
        values = [x1 + 2, y1 + 4, x2 - 2, y1, x2, y2 - 4, x1, y2]
    shares = [value / SIZE[place % 2] for place, value in enumerate(values)]
    return f"{NUMBERS[kind]} " + " ".join(f"{share:.6f}" for share in shares) + "\n"
