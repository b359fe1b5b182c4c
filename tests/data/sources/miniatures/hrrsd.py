"""HRRSD in small: `TGRS-HRRSD-Dataset/OPT2017/{JPEGImages,Annotations,ImageSets/Main}`."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.annotated import paint, voc, voc_object, write_text

SPLITS = {"train": ("00001", "00002", "00003"), "val": ("00004",), "test": ("00005", "00006")}
OBJECTS = {
    "00001": [("storage tank", (5, 5, 20, 20)), ("storage tank", (30, 5, 45, 20))],
    "00002": [("T junction", (0, 0, 60, 50)), ("vehicle", (20, 20, 24, 30))],
    "00003": [("parking lot", (5, 5, 60, 45))],
    "00004": [("ship", (10, 10, 20, 40))],
    "00005": [("ground track field", (4, 4, 60, 46)), ("basketball court", (62, 4, 72, 20))],
    "00006": [("baseball diamond", (10, 10, 40, 40))],
}
PICTURE = "TGRS-HRRSD-Dataset/OPT2017/JPEGImages/00001.jpg"
ANNOTATION = "TGRS-HRRSD-Dataset/OPT2017/Annotations/00001.xml"


def write(root: Path) -> None:
    base = root / "TGRS-HRRSD-Dataset/OPT2017"
    for stem, objects in OBJECTS.items():
        paint(base / "JPEGImages" / f"{stem}.jpg", (80, 60), [box for _, box in objects])
        marks = [voc_object(name, box) for name, box in objects]
        write_text(base / "Annotations" / f"{stem}.xml", voc(f"{stem}.jpg", (80, 60), marks))
    for split, stems in SPLITS.items():
        write_text(base / "ImageSets/Main" / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))
