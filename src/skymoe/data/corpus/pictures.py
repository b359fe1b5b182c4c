"""The pictures of a corpus: read and compared when it is built, and stored below its folder.

An ordinary picture is stored as the very file it is. A window of a larger one (a tile, RSICD inside AID), and
what trainers cannot open as it is (GeoTIFF, 16 bit, CMYK, turned by EXIF), is stored as the upright RGB picture
our reader makes of it: as JPEG of quality 95 without chroma subsampling where the original is JPEG, else PNG.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skymoe.data.corpus.formats import unfinished
from skymoe.data.fingerprints import SIDE, perceptual_hash, reduced
from skymoe.data.sources.reading import FORMATS
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Sample

FOLDER = "pictures"
THUMB = 16
FLAT = 4.0
"""Pictures whose grey values spread less (standard deviation) have hashes of noise: only equal ones are twins."""
_COPIED = {"JPEG": (".jpg", {"RGB", "L"}), "PNG": (".png", {"RGB", "L"}), "WEBP": (".webp", {"RGB"})}
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a picture stands, relative to the corpus, and whether it is the original file."""

    name: str
    original: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a picture: equal `identity` means equal pixels; `hash` is None where it tells nothing."""

    identity: int
    hash: int | None
    thumb: NDArray[np.uint8]  # [THUMB, THUMB]


def place(sample: Sample, called: str) -> Stored:
    """Where the sample's picture goes; reads the head of its file. UserError where that is damaged."""
    try:
        with Image.open(sample.image, formats=FORMATS) as picture:
            kind, mode = picture.format or "", picture.mode
            # Without the first test a PNG would be decoded to look behind its pixels.
            turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) != 1
            suffix, modes = _COPIED.get(kind, ("", set()))
            original = (
                sample.window is None
                and mode in modes
                and not turned
                and "transparency" not in picture.info
                and picture.size == (sample.width, sample.height)
            )
    except FileNotFoundError as error:
        raise UserError(f"{sample.image}: no such file") from error
    except Exception as error:  # damaged heads make Pillow raise nearly anything
        raise UserError(f"{sample.image}: cannot be read as an image") from error
    if not original:
        suffix = ".jpg" if kind in ("JPEG", "MPO") else ".png"
    return Stored(f"{FOLDER}/{called}/{sample.split}/{_safe(sample.id)}{suffix}", original)


def look(sample: Sample) -> tuple[Image.Image, Look]:
    """The decoded picture and what there is to compare; UserError where it can't be decoded or has another size."""
    picture = open_sample(sample)
    if picture.size != (sample.width, sample.height):
        size = f"{picture.width}×{picture.height}"
        raise UserError(f"the picture has {size} pixels, its annotation {sample.width}×{sample.height}")
    grey = reduced(picture)
    thumb = grey.reshape(THUMB, SIDE // THUMB, THUMB, SIDE // THUMB).mean(axis=(1, 3))
    key = f"{picture.width}x{picture.height}".encode()
    identity = blake2b(picture.tobytes(), digest_size=8, key=key).digest()
    tells = sample.pair is None and float(grey.std()) >= FLAT
    return picture, Look(
        int.from_bytes(identity, "little"),
        perceptual_hash(grey) if tells else None,
        thumb.round().astype(np.uint8),
    )


def look_at_name(sample: Sample) -> Look:
    """Without decoding: pictures are the same where file name and window are."""
    said = f"{sample.image}\0{sample.window}\0{sample.width}x{sample.height}".encode()
    identity = int.from_bytes(blake2b(said, digest_size=8).digest(), "little")
    return Look(identity, None, np.zeros((THUMB, THUMB), np.uint8))


def store(sample: Sample, stored: Stored, corpus: Path, link: bool) -> None:
    """Write the picture below the corpus; one that is there already is whole, and stays."""
    target = corpus / stored.name
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = unfinished(corpus, target)
    try:
        if not stored.original:
            picture = open_sample(sample)
            if target.suffix == ".jpg":
                picture.save(part, "JPEG", quality=95, subsampling=0)
            else:
                picture.save(part, "PNG")
        elif link:
            _link(Path(sample.image), part)
        else:
            shutil.copyfile(sample.image, part)
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error


def _link(original: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(original.resolve(), target)
    except OSError:  # another disk, or no right to
        shutil.copyfile(original, target)


def _safe(identity: str) -> str:
    """A path below a folder that tells the id; where letters had to be changed, a hash keeps names apart."""
    parts = [re.sub(r"[^\w.+-]", "_", part).strip(".") for part in identity.split("/")]
    name = "/".join(part for part in parts if part) or "picture"
    if name == identity:
        return name
    return f"{name}-{blake2b(identity.encode(), digest_size=4).hexdigest()}"
