"""RSVQA-LR as unpacked from Zenodo: four pictures, ten questions."""

from __future__ import annotations

from pathlib import Path

from data.sources.miniatures.rsvqa import write_files

ASKED = {
    "train": [
        (0, "Is it a rural or an urban area", "rural", "rural_urban"),
        (0, "Is there a road?", "yes", "presence"),
        (0, "What is the number of buildings?", "0", "count"),
        (10, "What is the number of roads?", "10", "count"),
        (10, "What is the number of  roads?", "11", "count"),
        (10, "How many buildings are there?", "1000", "count"),
        (10, "How many buildings are there?", "1001", "count"),
    ],
    "val": [(2, "Are there more roads than water areas?", "no", "comp")],
    "test": [
        (3, "Are there less buildings than roads?", "yes", "comp"),
        (3, "Is a pond present?", "no", "presence"),
    ],
}


def write(root: Path, folder: str = "Images_LR") -> None:
    write_files(root / "RSVQA-LR", "LR", ASKED, folder, (".tif",))
