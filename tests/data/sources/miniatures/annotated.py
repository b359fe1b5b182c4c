"""Painted pictures with bright objects on dark ground, and Pascal VOC annotations of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

Box = tuple[int, int, int, int]


def paint(path: Path, size: tuple[int, int], boxes: Iterable[Sequence[float]] = ()) -> None:
    """A picture with a white box or polygon for each of the corner lists (four numbers or x, y of all corners)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, (60, 80, 70))
    pen = ImageDraw.Draw(picture)
    for corners in boxes:
        if len(corners) == 4:
            pen.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=(240, 240, 240))
        else:
            pen.polygon([int(value) for value in corners], fill=(240, 240, 240))
    picture.save(path)


def voc(filename: str, size: tuple[int, int], objects: Iterable[str]) -> str:
    """A VOC annotation; `objects` are the XML of its objects (:func:`voc_object`)."""
    head = (
        f"<annotation>\n\t<folder>all</folder>\n\t<filename>{filename}</filename>\n\t<source>\n\t\t"
        "<database>drawn</database>\n\t</source>\n\t<size>\n\t\t<width>{}</width>\n\t\t<height>{}</height>\n\t\t"
        "<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n"
    ).format(*size)
    return head + "".join(objects) + "</annotation>\n"


def voc_object(name: str, box: Box, *, difficult: int = 0, description: str = "") -> str:
    corners = "".join(
        f"\t\t\t<{tag}>{value}</{tag}>\n"
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    tail = f"\t\t<description>{description}</description>\n" if description else ""
    flags = (
        f"\t\t<truncated>0</truncated>\n\t\t<difficult>{difficult}</difficult>\n" if not description else ""
    )
    return (
        f"\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Unspecified</pose>\n{flags}\t\t<bndbox>\n{corners}\t\t</bndbox>\n"
        f"{tail}\t</object>\n"
    )


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
