"""DIOR in small, with horizontal and oriented boxes: `DIOR/JPEGImages-{trainval,test}`, `DIOR/Annotations/…`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import Box, paint, voc, voc_object, write_text

SPLITS = {"train": ("00001", "00002"), "val": ("00003",), "test": ("11726", "11727")}
OBJECTS: dict[str, list[tuple[str, Box]]] = {
    "00001": [("golffield", (5, 5, 70, 50))],
    "00002": [("Expressway-Service-area", (5, 5, 40, 30)), ("vehicle", (50, 10, 54, 16))],
    "00003": [("storagetank", (10, 10, 20, 20)), ("storagetank", (30, 10, 40, 20)), ("harbor", (0, 30, 80, 60))],
    "11726": [("airplane", (10, 10, 30, 30))],
    "11727": [("trainstation", (5, 5, 75, 20))],
}  # fmt: skip
PICTURE = "DIOR/JPEGImages-trainval/00001.jpg"
ANNOTATION = "DIOR/Annotations/Horizontal Bounding Boxes/00001.xml"
_CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


def diamond(box: Box) -> list[tuple[float, float]]:
    """The rhombus inside the box, clockwise from its top."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return [(x, box[1]), (box[2], y), (x, box[3]), (box[0], y)]


def robndbox(name: str, box: Box) -> str:
    tags = "".join(
        f"\t\t\t<x_{corner}>{x:g}</x_{corner}>\n\t\t\t<y_{corner}>{y:g}</y_{corner}>\n"
        for corner, (x, y) in zip(_CORNERS, diamond(box), strict=True)
    )
    return (
        f"\t<object>\n\t\t<type>robndbox</type>\n\t\t<name>{name}</name>\n\t\t<difficult>0</difficult>\n"
        f"\t\t<robndbox>\n{tags}\t\t</robndbox>\n\t\t<angle>0</angle>\n\t</object>\n"
    )


def write(root: Path) -> None:
    base = root / "DIOR"
    for split, stems in SPLITS.items():
        folder = "JPEGImages-test" if split == "test" else "JPEGImages-trainval"
        for stem in stems:
            objects = OBJECTS[stem]
            paint(base / folder / f"{stem}.jpg", (80, 60), [box for _, box in objects])
            for kind, marks in (
                ("Horizontal", [voc_object(name, box) for name, box in objects]),
                ("Oriented", [robndbox(name, box) for name, box in objects]),
            ):
                path = base / f"Annotations/{kind} Bounding Boxes/{stem}.xml"
                write_text(path, voc(f"{stem}.jpg", (80, 60), marks))
        write_text(base / "ImageSets/Main" / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))
