"""Parquet mirrors of scene data sets (Hugging Face), unpacked into a folder for each class.

The mirrors have splits of their own (two of the same data set hardly ever the same), while ours follow from a
picture's class and number. So a row must say which picture of its class it is; the mirror's split is not taken.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import Quarantined, Source
from skymoe.data.sources.mirrors import picture_suffix, rows, split_of
from skymoe.data.sources.scene_folders import SceneFolders
from skymoe.errors import UserError
from skymoe.tasks.labels import label_key

FOLDERS = {
    "resisc45": "NWPU-RESISC45",
    "aid": "AID",
    "whu-rs19": "WHU-RS19",
    "uc-merced": "UCMerced_LandUse/Images",
}
"""Data set → its folder of classes below the data folder."""
NAMED = ("filename", "image_id", "file_name", "id")
"""Columns that may say which picture a row is, besides the path beside its bytes."""
_NUMBERED = re.compile(r"(.*?)[\s_-]*(\d{1,6})")


def unpack_scenes(name: str, mirror: Path, root: Path) -> tuple[dict[str, int], list[Quarantined]]:
    """Write the mirror's pictures below the data folder `root`, each into its class under its official name.

    Columns: `image` (bytes, and mostly a path), `label` (a word, or a number whose word the file's Hugging Face
    header says), and where the path says nothing one of NAMED. Returns the number of pictures by the mirror's
    splits, and the rows of which nothing could be made.

    Raises UserError where there are no such files, the data set is already there, or no row names its picture.
    """
    target = root / FOLDERS[name]
    if target.is_dir() and any(target.iterdir()):
        raise UserError(f"{name}: {target} is already there; move it away to unpack the mirror")
    files = sorted(mirror.rglob("*.parquet"))
    if not files:
        raise UserError(f"{name}: no *.parquet in {mirror}; name the folder the mirror was downloaded to")
    classes, stem = _official(name, root)
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    damaged: list[Quarantined] = []
    counts: dict[str, int] = {}
    seen: set[str] = set()
    for file in files:
        split = split_of(file, name)
        words = _label_words(file, name)
        for number, row in enumerate(rows(file, name)):
            try:
                label, picture, content = _entry(row, words, classes)
                called = stem(label, picture)
                if called in seen:
                    raise ValueError(f"name: {called} is another row's")
            except (KeyError, TypeError, ValueError) as error:
                damaged.append(Quarantined(f"{file.name} row {number}", f"it lacks a sound {error}"))
                continue
            seen.add(called)
            (part / label).mkdir(parents=True, exist_ok=True)
            (part / label / (called + picture_suffix(content))).write_bytes(content)
            counts[split] = counts.get(split, 0) + 1
    if not seen:
        why = damaged[0].reason if damaged else "it has no rows"
        raise UserError(
            f"{name}: no row of {mirror} can be used ({why}); without a picture's number its split is not known, get"
            " the official archive"
        )
    # Renamed last: a data set is there when all of it is.
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        target.rmdir()
    part.replace(target)
    return counts, damaged


def _official(name: str, root: Path) -> tuple[dict[str, str], Callable[[str, int], str]]:
    """The classes by the key of their label, and how picture `number` of a class is called."""
    from skymoe.data.sources import source_class

    reader: type[Source] = source_class(name)
    if issubclass(reader, SceneFolders):
        source = reader(root)
        return {label_key(label): label for label in source.classes}, source.stem
    from skymoe.data.sources.rsicd import CLASSES

    return {label_key(label): label for label in CLASSES}, lambda label, number: f"{label.lower()}_{number}"


def _label_words(file: Path, name: str) -> list[str]:
    """What the numbers in the column `label` mean, as Hugging Face writes it into the file; none where it does not."""
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            header = (table.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
        return [str(word) for word in json.loads(header)["info"]["features"]["label"]["names"]]
    except Exception:  # rows() says what is wrong with a damaged file
        return []


def _entry(row: Mapping[str, Any], words: list[str], classes: Mapping[str, str]) -> tuple[str, int, bytes]:
    """Class, number and content of a row; KeyError, TypeError or ValueError name the column at fault."""
    image, given = row["image"], row["label"]
    content = image["bytes"] if isinstance(image, Mapping) else image
    if not isinstance(content, bytes) or not picture_suffix(content):
        raise ValueError("image")
    word = words[given] if isinstance(given, int) and 0 <= given < len(words) else given
    label = classes.get(label_key(str(word)))
    if label is None:
        raise ValueError(f"label: {word!r}")
    path = image.get("path") if isinstance(image, Mapping) else None
    for named in (path, *(row.get(column) for column in NAMED)):
        match = _NUMBERED.fullmatch(Path(str(named).replace("\\", "/")).stem) if named else None
        # Another word before the number: it counts something else.
        if match and label_key(match[1]) == label_key(label):
            return label, int(match[2]), content
    raise ValueError("name: nothing says which picture of its class it is")
