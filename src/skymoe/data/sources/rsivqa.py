"""RSIVQA: questions on pictures of UC Merced and RSICD; the parts that can be had with their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skymoe.data.sources.base import Source
from skymoe.data.sources.question_files import read_questions
from skymoe.data.sources.rsicd import AID_FOLDER, JSONS, OFFICIAL_IMAGES, rsicd_entries, rsicd_picture
from skymoe.data.sources.ucm_captions import HUMAN, UCM_NEEDS, ucm_entries, ucm_picture, ucm_pictures
from skymoe.sample import Question, Sample

UCM_THEMES = ("RSIVQA/ucm_vqa.txt", "RSIVQA/UCM/ucm_vqa.txt", "RSIVQA/RSIVQA/UCM/ucm_vqa.txt")
RSICD_THEMES = ("RSIVQA/rsicd_vqa.txt", "RSIVQA/AID/rsicd_vqa.txt", "RSIVQA/RSIVQA/AID/rsicd_vqa.txt")


class _Rsivqa(Source):
    licence = "questions for research use; images as in UCM-Captions and RSICD"
    where = "RSIVQA (github.com/spectralpublic/RSIVQA) and the pictures it asks about"
    files: tuple[str, ...]

    def _questions(self) -> dict[str, tuple[Question, ...]]:
        return read_questions(self.first_of(*self.files), self)


class RsivqaUcm(_Rsivqa):
    """RSIVQA (Zheng et al. 2021), the human questions on UC Merced: 2,795 on 559 pictures of `ucm_res.txt`.

    Five a picture: its theme, "Does this picture contain an airplane/trees?", one "How many …" and one "What
    is the location of …". A picture belongs to the split UCM-Captions gives it (RSIVQA has none): 459/49/51
    pictures, 2,295/245/255 questions.

    Licence: research use. Quirks: in 163 count and 131 location questions the object's name is missing ("How
    many  in the picture?", mostly answered "zero" and "i cannot see it"): they can only be answered by habit,
    but stay, because published numbers contain them. Counts are words, a few with "about"; "top" is mostly
    called "up"; airplane pictures have the theme "airport" here and "airplane" in `ucm_vqa.txt`; one
    "harobr"; one airplane picture is said to contain none.

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-ucm"
    files = HUMAN
    needs = (HUMAN, *UCM_NEEDS)
    counts = {"train": 459, "val": 49, "test": 51}

    def _samples(self, split: str) -> Iterator[Sample]:
        questions, pictures = self._questions(), ucm_pictures(self)
        for stem, its_split, _ in ucm_entries(self, split):
            if its_split == split and stem in questions:
                picture = ucm_picture(self, stem, pictures)
                if picture is None:
                    continue
                yield Sample(
                    id=f"{self.name}/{stem}", source=self.name, split=split, licence=self.licence,
                    questions=questions[stem], **picture,
                )  # fmt: skip


class RsivqaUcmThemes(RsivqaUcm):
    """RSIVQA's theme question on every picture of UC Merced (`ucm_vqa.txt`): 2,100, split as UCM-Captions
    1,680/210/210.

    RSIVQA has no split of its own. Licence: research use. Quirks: the answer is the class in plain words, except
    "farmland" for agricultural; the class and no more is asked, so that it is scene classification once again.

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-ucm-themes"
    files = UCM_THEMES
    needs = (UCM_THEMES, *UCM_NEEDS)
    counts = {"train": 1680, "val": 210, "test": 210}


class RsivqaRsicdThemes(_Rsivqa):
    """RSIVQA's theme question on every picture of RSICD (`rsicd_vqa.txt`): 10,921, split as RSICD 8,734/1,094/1,093.

    Without RSICD's own pictures only the 10,000 found in AID (7,946/1,027/1,027). RSIVQA has no split of its own.
    Licence: research use. Quirks: the answer is the RSICD class run together ("denseresidential"); playgrounds are
    "playfields".

    Cite: Zheng, Wang, Du, Lu: "Mutual attention inception network for remote sensing visual question answering", IEEE
    TGRS 60, 2022.
    """

    name = "rsivqa-rsicd-themes"
    files = RSICD_THEMES
    needs = (RSICD_THEMES, JSONS, (OFFICIAL_IMAGES, AID_FOLDER))
    counts = {"train": 8734, "val": 1094, "test": 1093}

    def _samples(self, split: str) -> Iterator[Sample]:
        questions = self._questions()
        for entry in rsicd_entries(self, split):
            stem = Path(entry.filename).stem
            if entry.split != split or stem not in questions:
                continue
            picture = rsicd_picture(self, entry)
            if picture is None:
                continue
            yield Sample(
                id=f"{self.name}/{stem}", source=self.name, split=split, licence=self.licence,
                questions=questions[stem], **picture,
            )  # fmt: skip
