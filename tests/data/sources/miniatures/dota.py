"""DOTA in small, versions 1.0, 1.5 and 2.0: `DOTA/{train,val}/images/**`, `labelTxt`, `labelTxt-v2.0/…`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, write_text

HEAD = "imagesource:GoogleEarth\r\ngsd:0.146343590398\r\n"
# Picture: folder below images, size, and its lines: corners, class, difficult.
Line = tuple[tuple[int, ...], str, int]
TRAIN: dict[str, tuple[str, tuple[int, int], list[Line]]] = {
    "P0000": ("", (300, 200), [
        ((20, 20, 40, 20, 40, 60, 20, 60), "plane", 0),
        ((100, 100, 120, 120, 100, 140, 80, 120), "storage-tank", 0),
        ((148, 50, 168, 50, 168, 70, 148, 70), "storage-tank", 1),
        ((280, 150, 320, 150, 320, 190, 280, 190), "harbor", 0),  # reaches beyond the picture
    ]),
    "P0001": ("part2", (90, 80), [((10, 10, 30, 10, 30, 20, 10, 20), "small-vehicle", 0)]),
}  # fmt: skip
NEW = {"P2001": ("part4", (100, 100), [((10, 10, 90, 10, 90, 90, 10, 90), "airport", 0),
                                       ((40, 40, 60, 40, 60, 60, 40, 60), "helipad", 0)])}  # fmt: skip
VAL = {"P0003": ("", (100, 90), [((10, 10, 60, 10, 60, 40, 10, 40), "soccer-ball-field", 0)])}
PICTURE = "DOTA/train/images/P0000.png"
ANNOTATION = "DOTA/train/labelTxt-v2.0/DOTA-v2.0_train/P0000.txt"


def lines(marks: list[Line]) -> str:
    return "".join(f"{' '.join(map(str, corners))} {name} {hard}\r\n" for corners, name, hard in marks)


def write(root: Path) -> None:
    for split, pictures in (("train", TRAIN | NEW), ("val", VAL)):
        base = root / "DOTA" / split
        for stem, (part, size, marks) in pictures.items():
            paint(base / "images" / part / f"{stem}.png", size, [corners for corners, _, _ in marks])
            write_text(base / f"labelTxt-v2.0/DOTA-v2.0_{split}" / f"{stem}.txt", lines(marks))
            if stem not in NEW:
                write_text(base / "labelTxt" / f"{stem}.txt", HEAD + lines(marks))
                crane: list[Line] = [((200, 20, 220, 20, 220, 40, 200, 40), "container-crane", 0)]
                more = crane if stem == "P0000" else []
                write_text(
                    base / f"labelTxt-v1.5/DOTA-v1.5_{split}" / f"{stem}.txt", HEAD + lines(marks + more)
                )
