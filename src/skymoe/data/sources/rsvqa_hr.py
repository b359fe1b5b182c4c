"""RSVQA-HR: a million questions on 10,659 aerial pictures of the north-east of the USA."""

from __future__ import annotations

from skymoe.data.sources.rsvqa import Rsvqa, binned, plain_number


class RsvqaHr(Rsvqa):
    """RSVQA-HR (Lobry et al. 2020): USGS orthophotos, 0.15 m a pixel, 512×512 px, north-east coast of the USA.

    10,659 pictures, 1,056,514 questions made from OpenStreetMap. Split by tiles, by its authors: questions
    625,340/102,843/222,684, and a second test of another city and sensor, `test_2` (Philadelphia): 105,647.
    `USGS_split_{train,val,test,test_phili}_{questions,answers}.json` and the unpacked `Images.tar` (`Data/`, with
    each picture as .tif and .png: the .tif is read), as on Zenodo (record 6344367).

    Areas are binned as the data set is judged: "0 m2", "between 1 m2 and 10 m2", "between 11 m2 and 100 m2",
    "between 101 m2 and 1000 m2", "more than 1000 m2" (upper bounds inclusive). Counts are plain numbers, 0–89.

    Licence: CC BY 4.0. Quirks: the paper counts 1,066,316 questions, the files fewer; many questions can be
    answered from habit: run it blind, too; much of the literature leaves counts and areas out and does not say so.
    The form and the numbers are those of the authors' code and of public readers of the files; not checked on the
    real files here, and the numbers of pictures of each split are not known here.

    Cite: Lobry, Marcos, Murray, Tuia: "RSVQA: Visual Question Answering for Remote Sensing Data", TGRS 2020.
    """

    name = "rsvqa-hr"
    folder = "RSVQA-HR"
    also = ("RSVQA_HR", "rsvqa_hr", "rsvqa-hr", "RSVQA/HR")
    splits = ("train", "val", "test", "test_2")
    needs = (
        *(f"USGS_split_{split}_{what}.json" for split in ("train", "val", "test", "test_phili")
          for what in ("questions", "answers")),
        ("Data", "images"),
    )  # fmt: skip
    where = "RSVQA high resolution (zenodo.org/records/6344367)"
    totals = {"questions": {"train": 625340, "val": 102843, "test": 222684, "test_2": 105647}}
    prefix = "USGS"
    pictures = ("Data", "images")
    files = {"train": "train", "val": "val", "test": "test", "test_2": "test_phili"}

    def standard(self, kind: str, answer: str) -> str:
        """Areas binned, counts as digits, the rest in lower case."""
        if kind == "area":
            return binned(plain_number(answer, "m2"), "m2")
        return str(plain_number(answer)) if kind == "count" else answer.lower()
