"""DIOR: twenty classes of objects with horizontal or oriented boxes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from skymoe.data.sources.object_source import ObjectSource
from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.options import flag
from skymoe.data.sources.reading import read_lines
from skymoe.data.sources.voc_xml import read_objects
from skymoe.errors import UserError
from skymoe.sample import Sample

NAMES = {
    "airplane": "airplane", "airport": "airport", "baseballfield": "baseball field",
    "basketballcourt": "basketball court", "bridge": "bridge", "chimney": "chimney", "dam": "dam",
    "expresswayservicearea": "expressway service area", "expresswaytollstation": "expressway toll station",
    "golffield": "golf field", "golfcourse": "golf field", "groundtrackfield": "ground track field", "harbor": "harbor",
    "overpass": "overpass", "ship": "ship", "stadium": "stadium", "storagetank": "storage tank",
    "tenniscourt": "tennis court", "trainstation": "train station", "vehicle": "vehicle", "windmill": "windmill",
}  # fmt: skip
"""The classes of DIOR, and of what was made of it: `plain` form in the files → the project's words."""

NOT_COUNTED = frozenset({"vehicle"})


class Dior(ObjectSource):
    """DIOR (Li et al. 2020) and DIOR-R (Cheng et al. 2022), Northwestern Polytechnical University: 23,463 pictures,
    800×800 px, Google Earth, 0.5–30 m a pixel, 192,472 horizontal boxes (as oriented ones in DIOR-R), 20 classes.

    Layout: ``DIOR/JPEGImages-trainval``, ``DIOR/JPEGImages-test`` (or one ``JPEGImages``),
    ``DIOR/Annotations/Horizontal Bounding Boxes/*.xml`` (Pascal VOC) and ``…/Oriented Bounding Boxes/*.xml`` (the four
    corners as ``robndbox``), ``DIOR/ImageSets/Main/{train,val,test}.txt`` (or ``DIOR/Main``). Official split
    5,862/5,863/11,738. Horizontal boxes by default; ``oriented=True`` reads DIOR-R's, which become polygons.

    Classes are counted in every picture, except "vehicle": in wide pictures the small ones are not annotated.
    "golf field" is DIOR's word for a golf course.

    Licence: research use. Citation: K. Li, G. Wan, G. Cheng, L. Meng, J. Han: Object detection in optical remote
    sensing images: a survey and a new benchmark, ISPRS Journal 159, 2020; G. Cheng et al.: Anchor-free oriented
    proposal generator for object detection, IEEE TGRS 60, 2022. Known faults: the two expressway classes are
    capitalised in some files and not in others (read without case). DIOR-RSVG, RRSIS-D and parts of VRSBench show
    the same pictures. Not verified here on the real files: how complete the classes besides "vehicle" are.
    """

    name = "dior"
    licence = "research use"
    folder = "DIOR"
    also = ("DIOR-R",)
    needs = (
        ("JPEGImages-trainval", "JPEGImages"),
        ("JPEGImages-test", "JPEGImages"),
        ("Annotations/Horizontal Bounding Boxes", "Annotations/Oriented Bounding Boxes",
         "Annotations/Horizontal_Bounding_Boxes", "Annotations/Oriented_Bounding_Boxes", "Annotations/*.xml"),
        ("ImageSets/Main", "Main"),
    )  # fmt: skip
    where = "DIOR (gcheng-nwpu.github.io)"
    counts = {"train": 5862, "val": 5863, "test": 11738}
    names = NAMES

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        oriented: bool = False,
        side: int | None = None,
        overlap: int = 200,
        empty: float = 0.1,
        smallest: float = 0.0,
    ) -> None:
        super().__init__(root, side=side, overlap=overlap, empty=empty, smallest=smallest)
        self.oriented = flag(self.name, "oriented", oriented)

    def _samples(self, split: str) -> Iterator[Sample]:
        kind = "Oriented" if self.oriented else "Horizontal"
        folders = (f"Annotations/{kind} Bounding Boxes", f"Annotations/{kind}_Bounding_Boxes", "Annotations")
        labels = self.first_of(*folders)
        if not any(labels.glob("*.xml")):
            raise UserError(
                f"{self.name}: no {folders[0]} in {self.home}; unpack the {kind.lower()} boxes there"
            )
        pictures = self.first_of(
            "JPEGImages-test" if split == "test" else "JPEGImages-trainval", "JPEGImages"
        )
        for line in read_lines(self.first_of("ImageSets/Main", "Main") / f"{split}.txt", self.name):
            stem = line.split()[0]
            try:
                objects = read_objects(labels / f"{stem}.xml")
            except DamagedError as error:
                self.quarantine(stem, str(error))
                continue
            counted = self.classes - NOT_COUNTED
            yield from self.whole_or_tiles(
                self.picture(stem, pictures / f"{stem}.jpg", split, objects, counted)
            )
