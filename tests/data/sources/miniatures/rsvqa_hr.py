"""RSVQA-HR as unpacked from Zenodo: five pictures, eight questions, each picture as .tif and .png."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.rsvqa import write_files

ASKED = {
    "train": [
        (0, "What is the area covered by small buildings?", "0m2", "area"),
        (0, "What is the area covered by roads?", "1425m2", "area"),
        (9, "What is the area of commercial buildings?", "100m2", "area"),
        (9, "How many buildings are there in the image?", "12", "count"),
    ],
    "val": [(2, "Are there more roads than water areas?", "no", "comp")],
    "test": [(3, "Are there less buildings than roads?", "yes", "comp")],
    "test_phili": [
        (4, "Is there a road?", "yes", "presence"),
        (4, "How many roads are there?", "3", "count"),
    ],
}


def write(root: Path) -> None:
    write_files(root / "RSVQA-HR", "USGS", ASKED, "Data", (".png", ".tif"))
