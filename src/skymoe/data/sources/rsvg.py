"""RSVG: expressions for objects in Google Earth pictures, the first grounding set of the field."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from skymoe.data.sources.expression_source import RawExpression
from skymoe.data.sources.reading import malformed, read_json
from skymoe.data.sources.refgeo import RefGeoSource
from skymoe.sample import Sample

MDETR = "rsvg/mdetr_annotations/finetune_rsvg_{}.json"


class Rsvg(RefGeoSource):
    """RSVG (Sun et al. 2022, GeoVG): 7,933 expressions for objects of 4,239 pictures, 1024×1024 px, Google Earth.

    Layout, either of two: ``rsvg/images`` with ``rsvg/mdetr_annotations/finetune_rsvg_{train,val,test}.json`` (COCO
    form as MDETR reads it: each expression is an image entry with its ``caption``, its box an annotation x, y, width,
    height), or refGeo's ``refGeo/metainfo/rsvg_{train,val,test}.jsonl`` with ``refGeo/images/rsvg`` (or ``RSVG``).
    The first is read where both are there. Split by its authors 5,505/1,201/1,227 expressions.

    Licence: research use. Citation: Y. Sun, S. Feng, X. Li, Y. Ye, J. Kang, X. Huang: Visual grounding in remote
    sensing images, ACM Multimedia 2022. Known faults: many expressions are long and name their object by a chain of
    neighbours; some fit several objects. Not verified here on the real files: that the authors' own download has the
    first layout (public readers use it under that name), and the number of pictures.
    """

    name = "rsvg"
    licence = "research use"
    part = "rsvg"
    needs = (
        (MDETR.format("train"), "refGeo/metainfo/rsvg_train.jsonl"),
        (MDETR.format("val"), "refGeo/metainfo/rsvg_val.jsonl"),
        (MDETR.format("test"), "refGeo/metainfo/rsvg_test.jsonl"),
        ("rsvg/images", "refGeo/images/rsvg", "refGeo/images/RSVG"),
    )
    where = "RSVG (sunyuxi.github.io/publication/GeoVG) or refGeo (huggingface.co/datasets/erenzhou/refGeo)"
    counts = {}  # pictures of a split: not published
    totals = {"expressions": {"train": 5505, "val": 1201, "test": 1227}}

    def _samples(self, split: str) -> Iterator[Sample]:
        path = self.home / MDETR.format(split)
        return self._mdetr_samples(path, split) if path.exists() else self.refgeo_samples(split)

    def _mdetr_samples(self, path: Path, split: str) -> Iterator[Sample]:
        content = read_json(path, self.name)
        groups: dict[str, list[RawExpression]] = defaultdict(list)
        try:
            boxes = {one["image_id"]: tuple(map(float, one["bbox"])) for one in content["annotations"]}
            for image in content["images"]:
                x, y, width, height = boxes.get(image["id"], (0.0, 0.0, 0.0, 0.0))
                phrase = " ".join(str(image["caption"]).split())
                raw = RawExpression(f"{split}#{image['id']}", phrase, (x, y, x + width, y + height))
                groups[str(image["file_name"])].append(raw)
        except (KeyError, TypeError, ValueError) as error:
            raise malformed(path, f"an entry lacks {error}", self.name) from error
        for image in sorted(groups):
            key, place = image.rpartition(".")[0] or image, self.home / "rsvg/images" / image
            sample = self.picture(key, place, split, groups[image])
            if sample is not None:
                yield sample
