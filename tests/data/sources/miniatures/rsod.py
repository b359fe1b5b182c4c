"""RSOD in small: `RSOD/<class>/JPEGImages` and `RSOD/<class>/Annotation/xml`, 24 annotated pictures and one that is
not."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, voc, voc_object, write_text

FOLDERS = ("aircraft", "oiltank", "overpass", "playground")
PICTURES = 24
PICTURE = "RSOD/aircraft/JPEGImages/aircraft_1.jpg"
ANNOTATION = "RSOD/aircraft/Annotation/xml/aircraft_1.xml"


def write(root: Path) -> None:
    for folder in FOLDERS:
        base = root / "RSOD" / folder
        for number in range(1, 7):
            stem = f"{folder}_{number}"
            boxes = [(10 * i, 10, 10 * i + 8, 20) for i in range(number)]
            paint(base / "JPEGImages" / f"{stem}.jpg", (80, 60), boxes)
            objects = [voc_object(folder, box) for box in boxes]
            write_text(base / "Annotation/xml" / f"{stem}.xml", voc(f"{stem}.jpg", (80, 60), objects))
    paint(root / "RSOD/oiltank/JPEGImages/oiltank_99.jpg", (80, 60))
