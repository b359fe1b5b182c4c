"""What the readers of grounding datasets have in common: one sample a picture, with the phrases that name one
object in it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skymoe.boxes import iou
from skymoe.data.sources.base import PictureError, Source, picture_size
from skymoe.data.sources.objects import DamagedError, sound_region
from skymoe.data.sources.options import flag
from skymoe.sample import Expression, Region, Sample

SAME = 0.9
"""Boxes of this IoU or more are of one object."""


@dataclass(frozen=True, slots=True)
class RawExpression:
    """A phrase as a file has it.

    ``entry`` names it in the quarantine, ``corners`` are as in RawObject, ``box`` is the horizontal box (x1, y1,
    x2, y2) where the file gives one besides the corners, ``name`` the object's class in the project's words (empty
    where it is not known).
    """

    entry: str
    phrase: str
    corners: tuple[float, ...]
    name: str = ""
    box: tuple[float, ...] | None = None


class ExpressionSource(Source):
    """A dataset of referring expressions: its entries are expressions, its samples pictures with all of theirs.

    Quarantined are expressions without words, box or picture, those that are there twice, and, because a phrase
    has to name exactly one object, all that say the same of different objects of a picture. ``ambiguous=True`` keeps
    the last two kinds: published evaluations ask them all, and the official numbers count them.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, *, ambiguous: bool = False) -> None:
        super().__init__(root)
        self.ambiguous = flag(self.name, "ambiguous", ambiguous)

    def picture(
        self, key: str, path: Path, split: str, raw: Sequence[RawExpression], **also: Any
    ) -> Sample | None:
        """The sample of a picture with its expressions and what is `also` known of it (fields of Sample).

        None when its file can't be used, or none of its expressions and nothing else is known.
        """
        try:
            if ".." in path.parts or not path.is_relative_to(self.home):
                raise DamagedError("the picture's name leads out of the data set's folder")
            width, height = picture_size(path, self.name)
        except (PictureError, DamagedError) as error:
            why = error.reason if isinstance(error, PictureError) else str(error)
            for entry in [one.entry for one in raw] or [key]:
                self.quarantine(entry, why)
            return None
        sound: list[tuple[RawExpression, Region]] = []
        for one in raw:
            try:
                if not one.phrase:
                    raise DamagedError("there is no phrase")
                region = sound_region(one.name or "object", one.corners, width, height)
                if one.box is not None:
                    region = replace(region, box=sound_region(region.name, one.box, width, height).box)
                sound.append((one, region))
            except DamagedError as error:
                self.quarantine(one.entry, str(error))
        kept = self._distinct(sound)
        if not kept and not any(also.values()):
            return None
        regions: dict[Region, None] = {}
        for one, region in kept:
            if one.name and all(iou(region.box, other.box) < SAME for other in regions):
                regions[region] = None
        return Sample(
            id=f"{self.name}/{key}", image=str(path), source=self.name, split=split, licence=self.licence,
            width=width, height=height, regions=tuple(regions),
            expressions=tuple(Expression(one.phrase, region.box, region.polygon) for one, region in kept), **also,
        )  # fmt: skip

    def _distinct(self, sound: Sequence[tuple[RawExpression, Region]]) -> list[tuple[RawExpression, Region]]:
        if self.ambiguous:
            return list(sound)
        groups: dict[str, list[tuple[RawExpression, Region]]] = defaultdict(list)
        for one, region in sound:
            groups[said(one.phrase)].append((one, region))
        dropped: dict[str, str] = {}
        for group in groups.values():
            objects: list[Region] = []
            for one, region in group:
                if any(iou(region.box, other.box) >= SAME for other in objects):
                    dropped[one.entry] = "the same phrase for the same object is there a second time"
                else:
                    objects.append(region)
            if len(objects) > 1:
                why = f"the phrase names {len(objects)} objects of the picture: {group[0][0].phrase!r}"
                dropped |= {one.entry: why for one, _ in group}
        for one, _ in sound:
            if one.entry in dropped:
                self.quarantine(one.entry, dropped[one.entry])
        return [pair for pair in sound if pair[0].entry not in dropped]


def said(phrase: str) -> str:
    """A phrase without what makes no difference: case, a final stop."""
    return " ".join(phrase.lower().split()).rstrip(" .")
