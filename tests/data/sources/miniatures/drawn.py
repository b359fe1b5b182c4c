"""The pictures of the miniatures of users' formats: grey ground with white tanks, red ships."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

Box = tuple[float, float, float, float]
SIZE = (64, 48)
# Name, and its objects: class, x1, y1, x2, y2 in pixels.
OBJECTS: dict[str, list[tuple[str, Box]]] = {
    "port.png": [
        ("storage tank", (4, 4, 16, 16)),
        ("storage tank", (20, 4, 32, 16)),
        ("ship", (8, 24, 40, 36)),
    ],
    "tank.png": [("storage tank", (30, 20, 50, 40))],
    "sea.jpg": [],
    "ships.png": [("ship", (2, 2, 34, 14)), ("ship", (10, 20, 60, 44))],
}
CLASSES = ("ship", "storage tank")


def draw(path: Path, objects: list[tuple[str, Box]], size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, (90, 110, 120))
    pen = ImageDraw.Draw(picture)
    for name, box in objects:
        if name == "ship":
            pen.rectangle(box, fill=(200, 40, 30))
        else:
            pen.ellipse(box, fill=(240, 240, 240))
    picture.save(path)


def draw_all(folder: Path) -> None:
    """The four pictures of OBJECTS."""
    for name, objects in OBJECTS.items():
        draw(folder / name, objects)
