"""AVVG: expressions for vehicles in pictures from drones, a part of refGeo."""

from __future__ import annotations

from collections.abc import Iterator

from skymoe.data.sources.refgeo import RefGeoSource
from skymoe.sample import Sample


class Avvg(RefGeoSource):
    """AVVG, Aerial Vehicle Visual Grounding (Zhou et al. 2024, in refGeo): expressions for vehicles in slanted pictures
    from drones, with oriented boxes; 26,482 expressions for training.

    Layout: ``refGeo/metainfo/avvg_{train,test}.jsonl`` and ``refGeo/images/avvg`` (or ``AVVG``), as
    huggingface.co/datasets/erenzhou/refGeo unpacks. Split by its authors: train and test, no val.

    Licence: research use. Citation: Y. Zhou et al.: GeoGround: a unified large vision-language model for remote
    sensing visual grounding, arXiv 2411.11904, 2024. Known faults: the set also serves for expressions that name
    several vehicles: those are quarantined, because they name no single object (``ambiguous=True`` keeps them);
    some records are broken over lines. Not verified here on the real files: the number of test expressions.
    """

    name = "avvg"
    licence = "research use"
    part = "avvg"
    needs = (
        "refGeo/metainfo/avvg_train.jsonl",
        "refGeo/metainfo/avvg_test.jsonl",
        ("refGeo/images/avvg", "refGeo/images/AVVG"),
    )
    where = "refGeo (huggingface.co/datasets/erenzhou/refGeo)"
    counts = {}  # pictures: not published
    totals = {"expressions": {"train": 26482}}
    splits = ("train", "test")

    def _samples(self, split: str) -> Iterator[Sample]:
        return self.refgeo_samples(split)
