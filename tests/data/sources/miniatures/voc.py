"""Pascal VOC in small: `voc/Annotations`, `voc/JPEGImages`, `voc/ImageSets/Main`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.drawn import OBJECTS, SIZE, Box, draw_all

SETS = {"train": ("port", "tank"), "val": ("sea",), "test": ("ships",)}


def write(root: Path) -> None:
    home = root / "voc"
    draw_all(home / "JPEGImages")
    for part in ("Annotations", "ImageSets/Main"):
        (home / part).mkdir(parents=True, exist_ok=True)
    for name, objects in OBJECTS.items():
        (home / "Annotations" / name).with_suffix(".xml").write_text(xml(name, objects), encoding="utf-8")
    for split, stems in SETS.items():
        (home / f"ImageSets/Main/{split}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8")


def xml(name: str, objects: list[tuple[str, Box]]) -> str:
    width, height = SIZE
    parts = "".join(thing(kind, box) for kind, box in objects)
    return (
        f"<annotation>\n<folder>JPEGImages</folder>\n<filename>{name}</filename>\n<source><database>drawn</database>"
        f"</source>\n<size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        f"<segmented>0</segmented>\n{parts}</annotation>\n"
    )


def thing(kind: str, box: Box, difficult: int = 0) -> str:
    corners = "".join(f"<{t}>{v}</{t}>" for t, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return (
        f"<object><name>{kind.replace(' ', '-')}s</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>\n"
    )
