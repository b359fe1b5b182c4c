"""RSICap and RSIEval: long captions by people, and questions on a hundred pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skymoe.data.sources.base import Source, read_json
from skymoe.data.sources.captioned import PictureFinder
from skymoe.data.sources.records import each_record, plain_name, top_level
from skymoe.sample import Question, Sample

FOLDERS = {"train": ("RSICap", "captions.json"), "test": ("RSIEval", "annotations.json")}
KINDS = {
    "presence": "presence", "quantity": "count", "scene": "theme", "ab_position": "location",
    "re_position": "relation", "area_comp": "comparison", "road_ori": "direction",
}  # fmt: skip
"""RSIEval's names of question types that are called differently here; the others keep theirs."""


class RsiCap(Source):
    """RSICap (Hu et al. 2023) to train on, RSIEval to test on: pictures 512×512 px cut from DOTA-v1.5.

    RSICap: 2,585 pictures with one long caption each, written by remote-sensing people: theme, quality of the
    picture, objects with colour, number and place. RSIEval: 100 pictures with a caption and 936 questions of
    ten types. `RSICap/captions.json` and `RSIEval/annotations.json`, each beside its `images/`, as in the folder
    `dataset/` of the authors' repository. No validation split.

    Answers are lower-cased and lose their full stop ("Yes." → "yes"); otherwise they stay sentences.

    Licence: academic use (DOTA's pictures). Quirks: the pictures are cuts of DOTA's training and validation
    pictures: not to be trained on for a judgement on DOTA, and the other way round; a few captions open with
    white space; the form of counts is free ("more than one hundred"). The form was checked on the published
    annotation files; the numbers of pictures are the paper's.

    Cite: Hu, Yuan, Wen, Lu, Li: "RSGPT: A Remote Sensing Vision Language Model and Benchmark", 2023.
    """

    name = "rsicap"
    licence = "academic use"
    folder = "RSGPT/dataset"
    also = ("rsgpt_dataset", "RSGPT")
    needs = ("RSICap/captions.json", "RSICap/images", "RSIEval/annotations.json", "RSIEval/images")
    where = "the folder dataset/ of github.com/Lavender105/RSGPT"
    counts = {"train": 2585, "test": 100}
    totals = {"captions": {"train": 2585, "test": 100}, "questions": {"test": 936}}
    splits = ("train", "test")

    def _samples(self, split: str) -> Iterator[Sample]:
        folder, file = FOLDERS[split]
        path = self.home / folder / file
        pictures = PictureFinder([self.home / folder / "images"])
        records = top_level(read_json(path, self.name), "annotations", path, self)
        for filename, caption, questions in each_record(records, path, self, None, _entry):
            if not caption:
                self.quarantine(filename, "its caption is empty")
                continue
            picture = pictures.path(filename)
            size = self.measure(picture, filename)
            if size is not None:
                yield Sample(
                    id=f"{folder.lower()}/{Path(filename).stem}", image=str(picture), source=self.name, split=split,
                    licence=self.licence, width=size[0], height=size[1], captions=(caption,), questions=questions,
                )  # fmt: skip


def _entry(record: dict[str, Any]) -> tuple[str, str, tuple[Question, ...]]:
    """The picture's name, its caption and its questions."""
    caption = " ".join(record["text_output" if "text_output" in record else "caption"].split())
    return (
        plain_name(record["filename"]),
        caption,
        tuple(_question(pair) for pair in record.get("qa_pairs", ())),
    )


def _question(pair: dict[str, Any]) -> Question:
    answer = " ".join(pair["answer"].split()).removesuffix(".").lower()
    kind = pair["type"].strip()
    return Question(" ".join(pair["question"].split()), answer, KINDS.get(kind, kind))
