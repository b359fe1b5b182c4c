"""The folder that augmentation writes: `samples.jsonl`, the pictures it names by relative paths, and the report.

Everything is written under another name and then renamed, so that no half-written file is ever taken for a whole one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skymoe.augment.edited import Pixels
from skymoe.data.sources.own import below
from skymoe.errors import UserError
from skymoe.sample import Sample

SAMPLES, REPORT, PICTURES, PARTS, PREVIEWS = "samples.jsonl", "augment.json", "pictures", "parts", "previews"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name of this process, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def png(pixels: Pixels) -> bytes:
    """Lossless, so that "untouched" can be checked to the last bit; quick rather than small."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def decode(content: bytes) -> Pixels:
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
        return np.asarray(picture.convert("RGB"))


def picture_name(sample_id: str) -> str:
    """A relative path for the picture of a sample: readable, without anything that a file system minds, unique."""
    digest = hashlib.sha256(sample_id.encode()).hexdigest()
    plain = re.sub(r"[^A-Za-z0-9~]+", "-", sample_id).strip("-")[-60:].replace("~", "_")
    return f"{PICTURES}/{digest[:2]}/{plain}-{digest[:10]}.png"


def inside_folder(folder: Path, image: str) -> Path:
    """The picture's path below the folder.

    Raises:
        UserError: for absolute paths, and for those that leave the folder, also by a symbolic link.
    """
    path = below(folder, image)
    if path is None:
        raise UserError(f"{image[:120]!r} is not a path inside the folder {folder}; give one relative to it")
    return path


def line(sample: Sample) -> str:
    return json.dumps(sample.to_dict(), ensure_ascii=False, separators=(",", ":"))


def read_samples(folder: Path) -> Iterator[Sample]:
    """The samples as written, pictures still relative to the folder.

    Raises:
        UserError: with the number of the line that is no sample.
    """
    path = folder / SAMPLES
    if not path.is_file():
        raise UserError(f"{folder}: there is no {SAMPLES}; give a folder that `skymoe augment` wrote")
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                yield Sample.from_dict(json.loads(text))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                reason = str(error).partition("\n")[0]
                raise UserError(f"{path}: line {number} is no sample ({reason}); build it again") from error


def read_report(folder: Path) -> dict[str, Any] | None:
    """The report of a finished or begun run, or None."""
    try:
        return json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / REPORT}: cannot be read; choose another --out or add --fresh") from error


def write_json(path: Path, content: Any) -> None:
    write_whole(path, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
