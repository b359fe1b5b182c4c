"""DIOR-RSVG in small: `DIOR_RSVG/{Annotations,JPEGImages}`, `{train,val,test}.txt` with numbers of objects."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import Box, paint, voc, voc_object, write_text

# Written so that the order of names is not the order of writing.
OBJECTS: dict[str, list[tuple[str, Box, str]]] = {
    "00010": [
        ("dam", (5, 5, 40, 30), "The dam on the left"),
        ("dam", (50, 5, 70, 30), "The dam on the right"),
    ],
    "00002": [
        ("Expressway-toll-station", (5, 5, 40, 30), "A gray toll station"),
        ("vehicle", (50, 10, 58, 16), "A small vehicle"),
        ("vehicle", (62, 30, 70, 36), "A small vehicle"),
    ],
    "00005": [("storagetank", (10, 10, 20, 20), "The  tank at the top")],
}
# Numbers run through 00002 (0–2), 00005 (3), 00010 (4–5).
SPLITS = {"train": (0, 1, 2, 4), "val": (3,), "test": (5,)}
EXPRESSIONS = {"train": 4, "val": 1, "test": 1}
PICTURE = "DIOR_RSVG/JPEGImages/00002.jpg"
ANNOTATION = "DIOR_RSVG/Annotations/00005.xml"


def write(root: Path) -> None:
    base = root / "DIOR_RSVG"
    for stem, objects in OBJECTS.items():
        paint(base / "JPEGImages" / f"{stem}.jpg", (80, 60), [box for _, box, _ in objects])
        marks = [voc_object(name, box, description=phrase) for name, box, phrase in objects]
        write_text(base / "Annotations" / f"{stem}.xml", voc(f"{stem}.jpg", (80, 60), marks))
    for split, numbers in SPLITS.items():
        write_text(base / f"{split}.txt", "".join(f"{number}\n" for number in numbers))
