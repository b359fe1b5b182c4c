"""A folder of pictures → a CSV table: scene, caption and number of storage tanks of each.

python examples/folder_to_csv.py FOLDER [MODEL] > table.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import skymoe
from skymoe.engine.opened import Opened, opened
from skymoe.errors import UserError

TOGETHER = 32


def pictures(folder: Path) -> list[tuple[Path, Opened]]:
    """The files that can be opened; the others are named on stderr."""
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        try:
            found.append((path, opened(path)))
        except UserError as error:
            print(error, file=sys.stderr)
    return found


def main(folder: str, model: str = "nano") -> None:
    engine = skymoe.load(model)
    table = csv.writer(sys.stdout)
    table.writerow(["picture", "scene", "probability", "caption", "storage tanks"])
    found = pictures(Path(folder))
    for start in range(0, len(found), TOGETHER):
        part = found[start : start + TOGETHER]
        batch = [picture for _, picture in part]
        scenes, captions, counts = (
            engine.classify(batch),
            engine.caption(batch),
            engine.count(batch, "storage tank"),
        )
        for (path, _), scene, caption, count in zip(part, scenes, captions, counts, strict=True):
            table.writerow([path.name, scene.label, f"{scene.confidence:.3f}", caption.text, count.number])


if __name__ == "__main__":
    main(*sys.argv[1:])
