"""RSIVQA's questions on pictures of Sydney, HRRSD and DOTA, which have to be there themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from skymoe.data.sources.base import Source
from skymoe.data.sources.captioned import PictureFinder, karpathy_entries
from skymoe.data.sources.dota import Dota
from skymoe.data.sources.hrrsd import Hrrsd
from skymoe.data.sources.question_files import read_questions
from skymoe.data.sources.reading import read_lines
from skymoe.data.sources.sydney_captions import SydneyCaptions
from skymoe.sample import Sample


def _places(part: str, file: str) -> tuple[str, ...]:
    """A file of RSIVQA in a flat copy, in its folder `RSIVQA`, and in the whole repository."""
    return tuple(f"RSIVQA/{folder}{file}" for folder in ("", f"{part}/", f"RSIVQA/{part}/"))


def _below(source: type[Source], *paths: str) -> tuple[str, ...]:
    """These paths in every folder that another data set may lie in."""
    return tuple(f"{folder}/{path}" for folder in (source.folder, *source.also) for path in paths)


class _OtherPictures(Source):
    licence = "questions for research use; pictures as in the data set they are from"
    where = "RSIVQA (github.com/spectralpublic/RSIVQA) and the pictures it asks about"

    def ask(
        self, split: str, files: tuple[str, ...], stems: Iterable[str], pictures: PictureFinder
    ) -> Iterator[Sample]:
        """A sample of every picture named that is asked something."""
        questions = read_questions(self.first_of(*files), self)
        for stem in stems:
            if stem not in questions:
                continue
            path = pictures.path(f"{stem}.png")
            size = self.measure(path, stem)
            if size is not None:
                yield Sample(
                    id=f"{self.name}/{stem}", image=str(path), source=self.name, split=split, licence=self.licence,
                    width=size[0], height=size[1], questions=questions[stem],
                )  # fmt: skip


class RsivqaSydneyThemes(_OtherPictures):
    """RSIVQA's theme question on every picture of the Sydney scenes (`sydney_vqa.txt`): 613, split as
    Sydney-Captions 497/58/58.

    RSIVQA has no split of its own. Licence: questions for research use. Quirks: the answer is one of seven scenes,
    and 242 pictures are residential. The file was read as published; the pictures' numbers are taken to be those of
    Sydney-Captions, which could not be checked here.

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-sydney-themes"
    files: ClassVar[tuple[str, ...]] = _places("Sydney", "sydney_vqa.txt")
    needs = (files, _below(SydneyCaptions, "dataset.json"), _below(SydneyCaptions, "imgs", "images"))
    counts = {"train": 497, "val": 58, "test": 58}

    def _samples(self, split: str) -> Iterator[Sample]:
        entries = karpathy_entries(self.first_of(*_below(SydneyCaptions, "dataset.json")), self, split)
        stems = [Path(entry.filename).stem for entry in entries if entry.split == split]
        folder = self.first_of(*_below(SydneyCaptions, "imgs", "images"))
        yield from self.ask(split, self.files, stems, PictureFinder([folder]))


class RsivqaHrrsd(_OtherPictures):
    """RSIVQA's questions on TGRS-HRRSD (`opt_val_vqa.txt`): "how many airplanes are there in this picture?" and
    "does this picture contain …?", made from its boxes.

    A picture belongs to the split HRRSD gives it (RSIVQA has none). Licence: questions for research use. Quirks:
    counts are those of HRRSD's boxes, which leave objects out, cars above all; the classes of the "no" questions
    are drawn in a fixed order. The file was read as published; the numbers of each split are not known here.

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-hrrsd"
    files: ClassVar[tuple[str, ...]] = _places("HRRSD", "opt_val_vqa.txt")
    needs = (
        files,
        _below(Hrrsd, "OPT2017/JPEGImages", "JPEGImages"),
        _below(Hrrsd, "OPT2017/ImageSets/Main", "ImageSets/Main"),
    )

    def _samples(self, split: str) -> Iterator[Sample]:
        lists = self.first_of(*_below(Hrrsd, "OPT2017/ImageSets/Main", "ImageSets/Main"))
        stems = [line.split()[0] for line in read_lines(lists / f"{split}.txt", self.name)]
        pictures = self.first_of(*_below(Hrrsd, "OPT2017/JPEGImages", "JPEGImages"))
        yield from self.ask(split, self.files, stems, PictureFinder([pictures]))


class RsivqaDota(_OtherPictures):
    """RSIVQA's questions on DOTA's whole pictures (`dota_train_vqa2.txt`, `dota_val_vqa2.txt`), made from its
    boxes: "how many ships are there in this picture?", "does this picture contain ship?"

    Splits as in the files: train and val, DOTA's own. Licence: questions for research use. Quirks: pictures are up
    to 4,000 px wide and up to thousands of objects are asked for, many of a few pixels, so that at a model's size
    most counts can't be seen. The files were read as published; the numbers are not known here.

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-dota"
    splits = ("train", "val")
    files: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": _places("DOTA", "dota_train_vqa2.txt"),
        "val": _places("DOTA", "dota_val_vqa2.txt"),
    }
    needs = (files["train"], files["val"], _below(Dota, "train/images"), _below(Dota, "val/images"))

    def _samples(self, split: str) -> Iterator[Sample]:
        images = self.first_of(*_below(Dota, f"{split}/images"))
        folders = [images, *sorted(path for path in images.rglob("*") if path.is_dir())]
        pictures = PictureFinder(folders)
        stems = sorted(stem for folder in folders for stem in pictures.stems(folder))
        yield from self.ask(split, self.files[split], stems, pictures)
