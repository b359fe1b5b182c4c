"""What RSVQA's two data sets have in common: one file of questions, one of answers, pictures by number."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from sys import intern
from typing import ClassVar

from skymoe.data.sources.base import Source, malformed
from skymoe.data.sources.captioned import PictureFinder
from skymoe.data.sources.json_stream import stream_array
from skymoe.errors import UserError
from skymoe.sample import Question, Sample

KINDS = {"comp": "comparison"}
"""RSVQA's names of question types that are called differently here; presence, count, area, rural_urban stay."""
BINS = (10, 100, 1000)


def binned(number: int, unit: str = "") -> str:
    """The class RSVQA judges a number by: 0 · 1–10 · 11–100 · 101–1000 · >1000, upper bounds inclusive.

    `unit` follows every number: "between 1 m2 and 10 m2".
    """
    unit = f" {unit}" if unit else ""
    if number == 0:
        return f"0{unit}"
    low = 1
    for high in BINS:
        if number <= high:
            return f"between {low}{unit} and {high}{unit}"
        low = high + 1
    return f"more than {BINS[-1]}{unit}"


class Rsvqa(Source):
    """Both data sets: `PREFIX_split_SPLIT_questions.json` and `…_answers.json` with `{"questions": [{"id",
    "img_id", "type", "question", "answers_ids", "active"}]}`, most entries inactive stubs of other splits."""

    licence = "CC BY 4.0"
    prefix: ClassVar[str]
    pictures: ClassVar[tuple[str, ...]]
    """Folders with the pictures, the official one first."""
    files: ClassVar[Mapping[str, str]]
    """Split → its name in the files."""

    @abstractmethod
    def standard(self, kind: str, answer: str) -> str:
        """The answer as it is trained on and judged; ValueError for what is none."""

    def _samples(self, split: str) -> Iterator[Sample]:
        asked = self._questions(split)
        pictures = PictureFinder([self.home / folder for folder in self.pictures])
        for image in sorted(asked):
            path = pictures.path(f"{image}.tif")
            size = self.measure(path, f"picture {image}")
            if size is not None:
                questions = tuple(Question(*question) for question in asked[image])
                yield Sample(
                    id=f"{self.name}/{image}", image=str(path), source=self.name, split=split, licence=self.licence,
                    width=size[0], height=size[1], questions=questions,
                )  # fmt: skip

    def _questions(self, split: str) -> dict[int, list[tuple[str, str, str]]]:
        """Text, answer and kind of the questions of each picture, in the order of the file."""
        stem = f"{self.prefix}_split_{self.files[split]}"
        questions, answers = self.home / f"{stem}_questions.json", self.home / f"{stem}_answers.json"
        said: dict[int, str] = {}
        asked: dict[int, list[tuple[str, str, str]]] = {}
        path = answers
        try:
            for record in stream_array(answers, "answers", self.name):
                if record["active"]:
                    said[record["id"]] = intern(str(record["answer"]))
            path = questions
            for record in stream_array(questions, "questions", self.name):
                if not record["active"]:
                    continue
                # A million questions have a few thousand texts: one copy of each.
                text, kind = intern(" ".join(record["question"].split())), record["type"]
                answer = next((said[number] for number in record["answers_ids"] if number in said), None)
                if answer is None:
                    self.quarantine(f"question {record['id']}", "it has no answer")
                    continue
                try:
                    standard = intern(self.standard(kind, " ".join(answer.split())))
                except ValueError:
                    self.quarantine(
                        f"question {record['id']}", f"{answer!r} is no answer to a {kind} question"
                    )
                    continue
                asked.setdefault(int(record["img_id"]), []).append(
                    (text, standard, KINDS.get(kind, intern(kind)))
                )
        except UserError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise malformed(path, f"an entry lacks {error}", self.name) from error
        return asked


def plain_number(answer: str, unit: str = "") -> int:
    """The number of "12" or "12m2"; ValueError for anything else."""
    match = re.fullmatch(rf"(\d+)\s*{unit}", answer)
    if match is None:
        raise ValueError(answer)
    return int(match.group(1))
