"""RSOD: airplanes, oil tanks, overpasses and playgrounds with boxes."""

from __future__ import annotations

from collections.abc import Iterator

from skymoe.data.sources.object_source import ObjectSource, hashed_split, pictures_below
from skymoe.data.sources.objects import DamagedError
from skymoe.data.sources.voc_xml import read_objects
from skymoe.sample import Sample


class Rsod(ObjectSource):
    """RSOD (Long et al. 2017, Wuhan University): 976 pictures of about 1000×900 px, Google Earth and Tianditu,
    0.3–3 m a pixel; 4,993 aircraft in 446 pictures, 191 playgrounds in 189, 180 overpasses in 176, 1,586 oil tanks
    in 165.

    Layout: ``RSOD/{aircraft,oiltank,overpass,playground}/JPEGImages/*.jpg`` and ``…/Annotation/xml/*.xml``
    (Pascal VOC), as github.com/RSIA-LIESMARS-WHU/RSOD-Dataset- gives it; pictures and XML are found wherever
    they lie below ``RSOD``, so the repacked ``JPEGImages`` + ``Annotations`` works, too. No official split: here
    70/10/20 by a hash of the picture's name.

    Only the class of its folder is annotated in a picture, so only that class is counted there. Classes:
    "airplane" (aircraft), "storage tank" (oiltank), "overpass", "playground" (sports grounds with a track).

    Licence: research use. Citation: Y. Long, Y. Gong, Z. Xiao, Q. Liu: Accurate object localization in remote
    sensing images based on convolutional neural networks, IEEE TGRS 55(5), 2017. Known faults: about 40
    pictures come without XML and are quarantined. Not verified here on the real files: that number, and that
    XML of one class never names another.
    """

    name = "rsod"
    licence = "research use"
    folder = "RSOD"
    also = ("RSOD-Dataset",)
    needs = (("aircraft", "Annotations"), ("oiltank", "JPEGImages"))
    where = "RSOD (github.com/RSIA-LIESMARS-WHU/RSOD-Dataset-)"
    counts = {}  # no official split; 976 pictures in all, about 936 of them with XML
    names = {
        "aircraft": "airplane", "oiltank": "storage tank", "overpass": "overpass", "playground": "playground",
    }  # fmt: skip

    def _samples(self, split: str) -> Iterator[Sample]:
        def mine(stem: str) -> bool:
            return hashed_split(f"rsod/{stem}") == split

        pictures = {stem: path for stem, path in pictures_below(self.home).items() if mine(stem)}
        labels = {path.stem: path for path in sorted(self.home.rglob("*.xml")) if mine(path.stem)}
        for stem, picture, label in self.pairs(pictures, labels):
            try:
                objects = read_objects(label)
            except DamagedError as error:
                self.quarantine(stem, str(error))
                continue
            own = self.names.get(stem.rpartition("_")[0])
            yield from self.whole_or_tiles(self.picture(stem, picture, split, objects, {own} if own else ()))
