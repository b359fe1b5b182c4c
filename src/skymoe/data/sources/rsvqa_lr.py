"""RSVQA-LR: 77,232 questions on 772 Sentinel-2 pictures of the Netherlands."""

from __future__ import annotations

from skymoe.data.sources.rsvqa import Rsvqa, binned, plain_number


class RsvqaLr(Rsvqa):
    """RSVQA-LR (Lobry et al. 2020): Sentinel-2, 10 m a pixel, 256×256 px, nine tiles of the Netherlands.

    772 pictures, 77,232 questions made from OpenStreetMap. Split by tiles, by its authors: 572/100/100 pictures,
    57,223/10,005/10,004 questions (test: comparison 4,002, presence 2,955, count 2,947, rural_urban 100).
    `LR_split_{train,val,test}_{questions,answers}.json` and the unpacked `Images_LR.zip`, as on Zenodo (record
    6344334).

    Counts are binned as the data set is judged: "0", "between 1 and 10", "between 11 and 100", "between 101 and
    1000", "more than 1000" (upper bounds inclusive; the authors' code has the same classes under the names
    "between 0 and 10", "between 10 and 100" …).

    Licence: CC BY 4.0. Quirks: the paper's abstract counts ten times as many questions; a hundred questions on
    each picture repeat each other, and without the picture more than half of them can be guessed: run it blind,
    too; at 10 m a pixel single buildings can't be counted. The form and the numbers of questions are those of
    the authors' code and of public readers of the files; not checked on the real files here.

    Cite: Lobry, Marcos, Murray, Tuia: "RSVQA: Visual Question Answering for Remote Sensing Data", TGRS 2020.
    """

    name = "rsvqa-lr"
    folder = "RSVQA-LR"
    also = ("RSVQA_LR", "rsvqa_lr", "rsvqa-lr", "RSVQA/LR")
    needs = (
        *(f"LR_split_{split}_{what}.json" for split in ("train", "val", "test") for what in ("questions", "answers")),
        ("Images_LR", "images"),
    )  # fmt: skip
    where = "RSVQA low resolution (zenodo.org/records/6344334)"
    counts = {"train": 572, "val": 100, "test": 100}
    totals = {"questions": {"train": 57223, "val": 10005, "test": 10004}}
    prefix = "LR"
    pictures = ("Images_LR", "Images_LR/Images_LR", "images")
    files = {"train": "train", "val": "val", "test": "test"}

    def standard(self, kind: str, answer: str) -> str:
        """Counts binned, the rest in lower case."""
        return binned(plain_number(answer)) if kind == "count" else answer.lower()
