"""RRSIS-D: expressions for objects that are given as masks, read as boxes."""

from __future__ import annotations

import io
import pickle
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skymoe.boxes import iou
from skymoe.data.sources.coco_masks import mask_boxes
from skymoe.data.sources.dior import NAMES
from skymoe.data.sources.expression_source import ExpressionSource, RawExpression
from skymoe.data.sources.object_source import plain
from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.reading import malformed, read_json
from skymoe.errors import UserError
from skymoe.sample import XYXY, Sample

REFS, INSTANCES, PICTURES = "rrsisd/refs(unc).p", "rrsisd/instances.json", "images/rrsisd/JPEGImages"
AGREE = 0.5
"""Mask and box of an object have at least this IoU, else the mask is not believed."""


class RrsisD(ExpressionSource):
    """RRSIS-D (Liu et al. 2024, RMSIN): 17,402 expressions with masks on pictures of DIOR, 800×800 px, 20 classes.

    Layout: ``RRSIS-D/rrsisd/refs(unc).p``, ``RRSIS-D/rrsisd/instances.json``,
    ``RRSIS-D/images/rrsisd/JPEGImages/*.jpg`` (RefCOCO's form, as github.com/Lsan2401/RMSIN gives it). Official split
    12,181/1,740/3,481 expressions.

    The box is the tight box of the mask, the polygon the smallest rectangle around it. The masks were made by a
    segmentation model from boxes drawn by people (``bbox``, here x1, y1, x2, y2): where the two have an IoU below 0.5,
    the drawn box is taken, without polygon. The pickle is read as plain data: nothing in it can run.

    Licence: research use. Citation: S. Liu et al.: Rotated multi-scale interaction network for referring remote
    sensing image segmentation, CVPR 2024. Known faults: ``area`` in instances.json does not fit the boxes (not used).
    Not verified here on the real files: how often mask and box disagree.
    """

    name = "rrsis-d"
    licence = "research use"
    folder = "RRSIS-D"
    also = ("RRSISD",)
    needs = (REFS, INSTANCES, PICTURES)
    where = "RRSIS-D (github.com/Lsan2401/RMSIN)"
    counts = {}  # pictures of a split: not published
    totals = {"expressions": {"train": 12181, "val": 1740, "test": 3481}}

    def _samples(self, split: str) -> Iterator[Sample]:
        instances = read_json(self.home / INSTANCES, self.name)
        refs = read_refs(self.home / REFS, self.name)
        groups: dict[str, list[RawExpression]] = defaultdict(list)
        try:
            classes = {one["id"]: NAMES.get(plain(one["name"]), "") for one in instances["categories"]}
            objects = {one["id"]: one for one in instances["annotations"]}
        except (KeyError, TypeError, AttributeError) as error:
            raise malformed(self.home / INSTANCES, f"an entry lacks {error}", self.name) from error
        try:
            for ref in refs:
                if ref["split"] != split:
                    continue
                known = objects.get(ref["ann_id"])
                name = classes.get(ref["category_id"], "")
                for sentence in ref["sentences"]:
                    phrase = " ".join(str(sentence.get("raw") or sentence["sent"]).split())
                    entry = f"ref {ref['ref_id']}#{sentence['sent_id']}"
                    try:
                        box, outline = self._boxes(known)
                    except DamagedError as error:
                        self.quarantine(entry, str(error))
                        continue
                    groups[ref["file_name"]].append(RawExpression(entry, phrase, outline or box, name, box))
        except (KeyError, TypeError, AttributeError) as error:
            raise malformed(self.home / REFS, f"a reference lacks {error}", self.name) from error
        for filename in sorted(groups):
            path = self.home / PICTURES / filename
            sample = self.picture(Path(filename).stem, path, split, groups[filename])
            if sample is not None:
                yield sample

    def _boxes(self, known: dict[str, Any] | None) -> tuple[XYXY, tuple[float, ...]]:
        """The box of an object and the rectangle around its mask (empty where the mask is not believed)."""
        if known is None:
            raise DamagedError("instances.json has no such object")
        box, outline = mask_boxes(known.get("segmentation"))
        drawn = known.get("bbox")
        if isinstance(drawn, list) and len(drawn) == 4:
            x1, y1, x2, y2 = map(float, drawn)
            if iou(box, (x1, y1, x2, y2)) < AGREE:
                return (x1, y1, x2, y2), ()
        return box, outline


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


def read_refs(path: Path, source: str) -> list[dict[str, Any]]:
    """The references of a RefCOCO pickle; UserError when it is damaged or holds more than lists, texts, numbers."""
    try:
        refs = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # a damaged pickle raises nearly anything
        reason = str(error).partition("\n")[0]
        raise UserError(f"{source}: {path} can't be read ({reason}); get the data set again") from error
    if not isinstance(refs, list):
        raise malformed(path, "there is no list of references in it", source)
    return refs
