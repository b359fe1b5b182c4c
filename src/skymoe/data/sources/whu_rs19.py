"""WHU-RS19: 1,005 pictures of 19 scenes."""

from __future__ import annotations

from skymoe.data.sources.scene_folders import SceneFolders

# Pictures a class; their sum, 1,005, is the published number, the single ones could not be verified here.
PICTURES = {
    "Airport": 55, "Beach": 50, "Bridge": 52, "Commercial": 56, "Desert": 50, "Farmland": 50, "footballField": 50,
    "Forest": 53, "Industrial": 53, "Meadow": 61, "Mountain": 50, "Park": 50, "Parking": 50, "Pond": 54, "Port": 53,
    "railwayStation": 50, "Residential": 54, "River": 56, "Viaduct": 58,
}  # fmt: skip


class WhuRs19(SceneFolders):
    """WHU-RS19 (Xia et al. 2010; Dai and Yang 2011): 1,005 pictures of 19 scene classes, 50–61 a class.

    600×600 px, Google Earth, up to 0.5 m a pixel. `<Class>/<class>_01.jpg` … in `WHU-RS19/`. No official
    split: the field trains on 60 or 40 % of every class, drawn with seeds of its own. Here `share=0.6` (the
    default; SkyMoE's 380 test pictures are 40 % of the 950 of an older release) or `0.4`, `seed=0`; val is a
    tenth of the training part: 545/59/401.

    Licence: research use. Citation: G.-S. Xia et al., "Structural High-resolution Satellite Image Indexing",
    ISPRS TC VII Symposium 2010; D. Dai, W. Yang, "Satellite Image Classification via Two-Layer Sparse Coding
    with Biased Image Representation", IEEE GRSL 8(1), 2011. Known faults: older releases have 950 or 1,013
    pictures; classes are spelt "footballField" and "railwayStation"; AID comes from the same group and source
    and shows some of the same places.
    """

    name = "whu-rs19"
    licence = "research use"
    places = ("WHU-RS19", "WHU-RS19/WHU-RS19")
    needs = places[:1]
    where = "WHU-RS19 (https://captain-whu.github.io/BED4RS)"
    classes = tuple(PICTURES)
    usual_share = 0.6
    counts = {"train": 545, "val": 59, "test": 401}

    def numbers(self, label: str) -> range:
        return range(1, PICTURES[label] + 1)

    def stem(self, label: str, number: int) -> str:
        return f"{label[:1].lower()}{label[1:]}_{number:02}"
