"""FAIR1M in small: `FAIR1M/train/part1/{images,labelXml}`, `part2/{images,labelXmls}`, `FAIR1M/validation/…`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, write_text

Object = tuple[str, tuple[float, ...]]
PARTS: dict[str, dict[str, tuple[tuple[int, int], list[Object]]]] = {
    "train/part1/labelXml": {
        "0": ((200, 160), [("Boeing737", (20, 20, 60, 20, 60, 50, 20, 50)),
                           ("other-airplane", (120, 80, 150, 95, 140, 110, 110, 95))]),
        "1": ((90, 80), [("Small Car", (10, 10, 14, 10, 14, 18, 10, 18))]),
    },
    "train/part2/labelXmls": {"1": ((90, 80), [("Tennis Court", (10, 10, 60, 10, 60, 40, 10, 40))])},
    "validation/labelXmls": {"0": ((90, 80), [("Liquid Cargo Ship", (40, 10, 60, 30, 50, 40, 30, 20))])},
}  # fmt: skip
PICTURE = "FAIR1M/train/part1/images/0.tif"
ANNOTATION = "FAIR1M/train/part1/labelXml/0.xml"


def label(filename: str, objects: list[Object]) -> str:
    found = ""
    for name, corners in objects:
        ring = [*zip(corners[::2], corners[1::2], strict=True), corners[:2]]
        points = "".join(f"\t\t\t\t<point>{x:.6f},{y:.6f}</point>\n" for x, y in ring)
        found += (
            "\t\t<object>\n\t\t\t<coordinate>pixel</coordinate>\n\t\t\t<type>rectangle</type>\n"
            "\t\t\t<description>None</description>\n\t\t\t<possibleresult>\n"
            f"\t\t\t\t<name>{name}</name>\n\t\t\t</possibleresult>\n\t\t\t<points>\n{points}\t\t\t</points>\n\t\t</object>\n"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotation>\n\t<source>\n'
        f"\t\t<filename>{filename}</filename>\n\t\t<origin>GF2/GF3</origin>\n\t</source>\n\t<research>\n"
        "\t\t<version>1.0</version>\n\t</research>\n\t<objects>\n" + found + "\t</objects>\n</annotation>\n"
    )


def write(root: Path) -> None:
    for folder, pictures in PARTS.items():
        labels = root / "FAIR1M" / folder
        for stem, (size, objects) in pictures.items():
            paint(labels.parent / "images" / f"{stem}.tif", size, [corners for _, corners in objects])
            write_text(labels / f"{stem}.xml", label(f"{stem}.tif", objects))
