"""HRRSD: thirteen classes of objects with boxes, in an official split."""

from __future__ import annotations

from collections.abc import Iterator

from skymoe.data.sources.object_source import ObjectSource, named, plain
from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.reading import read_lines
from skymoe.data.sources.voc_xml import read_objects
from skymoe.sample import Sample


class Hrrsd(ObjectSource):
    """TGRS-HRRSD (Zhang et al. 2019, Xi'an Institute of Optics and Precision Mechanics): 21,761 pictures of
    widely different sizes, Google Earth (0.15–1.2 m a pixel) and Baidu Map (0.6–1.2 m), 13 classes.

    Layout: ``TGRS-HRRSD-Dataset/OPT2017/{JPEGImages,Annotations,ImageSets/Main}`` (Pascal VOC), or the same
    without ``OPT2017``. Official split of the authors by ``ImageSets/Main/{train,val,test}.txt``:
    5,401/5,417/10,943.

    Known faults: the data set was gathered class by class (about 4,000–5,000 objects of each), so that the cars on
    most of its parking lots have no box. So a class is counted only where the picture has one of it annotated,
    "vehicle" nowhere, and that an object is absent is never said. Objects: ship 3,975, bridge 4,651, ground track
    field 4,033, storage tank 4,424, basketball court 4,064, tennis court 4,420, airplane 4,901, baseball diamond
    4,042, harbor 3,902, vehicle 4,756, crossroad 4,436, T-junction 4,575, parking lot 4,958.

    Licence: research use. Citation: Y. Zhang, Y. Yuan, Y. Feng, X. Lu: Hierarchical and robust convolutional
    neural network for very high-resolution remote sensing object detection, IEEE TGRS 57(8), 2019. Not verified
    here on the real files: the exact spelling of the names in the XML (read without case, spaces and hyphens).
    """

    name = "hrrsd"
    licence = "research use"
    folder = "TGRS-HRRSD-Dataset"
    also = ("HRRSD", "TGRS-HRRSD")
    needs = (
        ("OPT2017/Annotations", "Annotations"),
        ("OPT2017/JPEGImages", "JPEGImages"),
        ("OPT2017/ImageSets/Main", "ImageSets/Main"),
    )
    where = "TGRS-HRRSD (github.com/CrazyStoneonRoad/TGRS-HRRSD-Dataset)"
    counts = {"train": 5401, "val": 5417, "test": 10943}
    names = named(
        "ship", "bridge", "ground track field", "storage tank", "basketball court", "tennis court", "airplane",
        "baseball diamond", "harbor", "vehicle", "crossroad", "parking lot", tjunction="t-junction",
    )  # fmt: skip

    def _samples(self, split: str) -> Iterator[Sample]:
        pictures = self.first_of("OPT2017/JPEGImages", "JPEGImages")
        labels = self.first_of("OPT2017/Annotations", "Annotations")
        lists = self.first_of("OPT2017/ImageSets/Main", "ImageSets/Main")
        for line in read_lines(lists / f"{split}.txt", self.name):
            stem = line.split()[0]
            try:
                objects = read_objects(labels / f"{stem}.xml")
            except DamagedError as error:
                self.quarantine(stem, str(error))
                continue
            there = {self.names[key] for raw in objects if (key := plain(raw.name)) in self.names}
            path = pictures / f"{stem}.jpg"
            sample = self.picture(stem, path, split, objects, there - {"vehicle"})
            yield from self.whole_or_tiles(sample)
