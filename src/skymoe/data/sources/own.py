"""Our own samples: a folder of pictures with `samples.jsonl`, as `skymoe augment` writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from skymoe.data.sources.base import Source
from skymoe.errors import UserError
from skymoe.sample import Sample

JSONL = "samples.jsonl"


class OwnSamples(Source):
    """Samples in our own form: one JSON object a line (`Sample.to_dict`) in `samples.jsonl`, pictures beside it.

    ``get_source("samples", FOLDER)``. Each sample keeps its id, source, split, licence, pair and edits. Pictures
    (PNG or JPEG) are named by paths relative to the folder; a path that leaves it, also by a symbolic link, is
    quarantined, as are lines that are no sample, ids that come twice, and pictures that are missing, damaged or not
    as large as their sample says. Splits: those of the samples. Licence: that of each sample's own data set.
    """

    name = "samples"
    licence = "that of each sample"
    needs: ClassVar = (JSONL,)
    counts: ClassVar[dict[str, int]] = {}
    where = "a folder that `skymoe augment` wrote"

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        if root is None:
            raise UserError("samples: say which folder, for instance augmented/")
        super().__init__(root)

    def _samples(self, split: str) -> Iterator[Sample]:
        seen: set[str] = set()
        for number, text in enumerate(self._lines(), 1):
            entry = f"line {number}"
            try:
                sample = Sample.from_dict(json.loads(text))
                known = isinstance(sample.id, str) and isinstance(sample.image, str)
                if not known or min(sample.width, sample.height) < 1:
                    raise ValueError("id, image or size are not what they should be")
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                self.quarantine(
                    entry, f"no sample: {str(error).partition(chr(10))[0][:120] or type(error).__name__}"
                )
                continue
            if sample.split != split:
                continue
            if sample.id in seen:
                self.quarantine(sample.id, "the id comes twice")
                continue
            seen.add(sample.id)
            path = below(self.root, sample.image)
            if path is None:
                self.quarantine(sample.id, f"picture {sample.image[:120]!r} is not a path inside the folder")
                continue
            size = self.measure(path, sample.id)
            if size is None:
                continue
            if sample.window is None and size != (sample.width, sample.height):
                stated = f"{sample.width}×{sample.height}"
                self.quarantine(sample.id, f"picture is {size[0]}×{size[1]} pixels, the sample says {stated}")
                continue
            yield sample.replace(image=str(path))

    def _lines(self) -> Iterator[str]:
        path = self.root / JSONL
        try:
            with path.open(encoding="utf-8") as file:
                for text in file:
                    if text.strip():
                        yield text
        except (OSError, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"{self.name}: {path} can't be read ({reason}); build it again") from error


def below(folder: Path, image: str) -> Path | None:
    """The path of a picture named relative to a folder; None where it is absolute or leaves the folder."""
    relative = PurePosixPath(image)
    strange = not image or "\0" in image or "\\" in image or ":" in image
    if strange or relative.is_absolute() or ".." in relative.parts:
        return None
    path = folder / relative
    return path if path.resolve().is_relative_to(folder.resolve()) else None
