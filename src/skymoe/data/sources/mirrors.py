"""Parquet mirrors (Hugging Face), unpacked into the official layout; those of scenes in `scene_mirrors.py`.

A mirror holds the pictures' bytes in its table; a sample names a file. So a mirror is unpacked once, and then read
like the official download.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import Quarantined
from skymoe.data.sources.captioned import tidy
from skymoe.data.sources.records import plain_name
from skymoe.errors import UserError

LAYOUTS = {
    "rsicd": ("RSICD/dataset_rsicd.json", "RSICD/RSICD_images"),
    "ucm-captions": ("UCM-Captions/dataset.json", "UCM-Captions/imgs"),
    "sydney-captions": ("Sydney-Captions/dataset.json", "Sydney-Captions/imgs"),
    "rsitmd": ("RSITMD/dataset_RSITMD.json", "RSITMD/images"),
}
"""Data set → its annotation file and its folder of pictures below the data folder."""
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
_SPLIT = re.compile(rf"({'|'.join(sorted(SPLITS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)
_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"))


def unpack_mirror(name: str, mirror: Path, root: Path) -> tuple[dict[str, int], list[Quarantined]]:
    """Write the mirror's pictures and captions below the data folder `root`, as the official download has them.

    Reads `*.parquet` anywhere below `mirror`, the split being the first word of a file's name ("train-00000-of-…").
    Columns: `image` (bytes, and perhaps a path), `captions` (or `caption`), and `filename` where there is one; for
    scenes see :func:`skymoe.data.sources.scene_mirrors.unpack_scenes`. Returns the number of pictures of each split,
    and the rows of which nothing could be made.

    Raises UserError where there are no such files, the data set is already there, or pyarrow is not installed.
    """
    from skymoe.data.sources.scene_mirrors import FOLDERS, unpack_scenes

    if name in FOLDERS:
        return unpack_scenes(name, mirror, root)
    if name not in LAYOUTS:
        raise UserError(
            f"{name}: mirrors of {', '.join([*LAYOUTS, *FOLDERS])} can be unpacked, of others not"
        )
    json_file, pictures = (root / path for path in LAYOUTS[name])
    if json_file.exists():
        raise UserError(f"{name}: {json_file} is already there; move it away to unpack the mirror")
    files = sorted(mirror.rglob("*.parquet"))
    if not files:
        raise UserError(f"{name}: no *.parquet in {mirror}; name the folder the mirror was downloaded to")
    pictures.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    damaged: list[Quarantined] = []
    seen: set[str] = set()
    counts: dict[str, int] = {}
    for file in files:
        split = split_of(file, name)
        for number, row in enumerate(rows(file, name)):
            try:
                filename, content, captions = _entry(row, f"{split}_{number:05}")
                if filename in seen:
                    raise ValueError(f"filename: {filename} is another row's")
            except (KeyError, TypeError, ValueError) as error:
                damaged.append(Quarantined(f"{file.name} row {number}", f"it lacks a sound {error}"))
                continue
            seen.add(filename)
            (pictures / filename).write_bytes(content)
            sentences = [{"raw": caption} for caption in captions]
            images.append({"filename": filename, "split": split, "sentences": sentences})
            counts[split] = counts.get(split, 0) + 1
    # Written last: a data set is there when its annotations are.
    part = json_file.with_suffix(".part")
    part.write_text(json.dumps({"dataset": name, "images": images}, ensure_ascii=False), encoding="utf-8")
    part.replace(json_file)
    return counts, damaged


def rows(file: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, a few in memory at a time; UserError where it is damaged."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UserError("reading Parquet needs pyarrow: pip install 'skymoe[data]'") from error
    try:
        with ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=64):
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{name}: {file} can't be read ({reason}); get the mirror again") from error


def split_of(file: Path, name: str) -> str:
    """The split that a file's name begins with; UserError where it begins with none."""
    found = _SPLIT.match(file.stem)
    if found is None:
        raise UserError(
            f"{name}: {file.name} does not say its split; its name should begin with train, val or test"
        )
    return SPLITS[found.group(1).lower()]


def _entry(row: Mapping[str, Any], spare: str) -> tuple[str, bytes, tuple[str, ...]]:
    """Name, content and captions of a row; KeyError, TypeError or ValueError name the column at fault."""
    image = row["image"]
    content = image["bytes"] if isinstance(image, Mapping) else image
    suffix = picture_suffix(content) if isinstance(content, bytes) else ""
    if not suffix:
        raise ValueError("image")
    said = row["captions"] if "captions" in row else row["caption"]
    captions = tidy([said] if isinstance(said, str) else said)
    if not captions:
        raise ValueError("caption")
    named = row.get("filename") or (image.get("path") if isinstance(image, Mapping) else None) or spare
    stem = Path(str(named).replace("\\", "/")).name
    return plain_name(Path(stem).stem + suffix), content, captions


def picture_suffix(content: bytes) -> str:
    """The suffix of a picture file with that content; empty for what is no picture."""
    return next((suffix for head, suffix in _SUFFIXES if content[:4].startswith(head)), "")
