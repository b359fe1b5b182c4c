"""Conversations about pictures, as LLaVA, GeoChat and those who train them write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skymoe.boxes import NOTATIONS
from skymoe.data.sources.files.base import Entry, FileSource, StrPath
from skymoe.data.sources.files.pictures import Picture, PictureFolder
from skymoe.data.sources.files.reading import read_records
from skymoe.data.sources.files.turns import Scene, read_turn
from skymoe.data.sources.objects import DamagedError
from skymoe.errors import UserError
from skymoe.sample import Expression, Question

MARK = "<image>"
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant",
          "system": "system"}  # fmt: skip


class Conversations(FileSource):
    """Conversation json or jsonl of LLaVA (Liu et al. 2023), GeoChat (Kuckreja et al. 2024) and their kin.

    `annotations`: the file, or one for each split; `images`: the folder of the pictures, by default the file's
    own. An entry is `{"id", "image", "conversations": [{"from": "human", "value": "<image>\\n…"}, {"from": "gpt",
    "value": …}, …]}`; `messages` of `role` and `content` are read, too. `<image>` stands once, in the first
    question, or nowhere.

    Of each turn the sample gets what it tells: a caption ("Describe the image …"), the scene (a list of classes
    to choose from), an expression (`[refer] … <p>the phrase</p>`, or an answer that is one box), else a question
    as it stands. Boxes are read in any notation of `skymoe.boxes` (`notation=`; "auto" knows GeoChat's angle
    brackets, Qwen's pairs of points, and shares from 0 to 1) and written in GeoChat's.

    Every turn is asked by itself: a later one that leans on an earlier ("what colour are they?") is quarantined
    as `id#turn`, as is one whose box can't be; entries without a picture, or with several, are quarantined.

    Licence: the option's. Splits: the user's, or by hash of the picture's name.
    """

    name = "conversations"

    def __init__(
        self,
        root: StrPath | None = None,
        *,
        annotations: StrPath | Mapping[str, StrPath],
        images: StrPath | None = None,
        notation: str = "auto",
        **common: Any,
    ) -> None:
        super().__init__(root, **common)
        if notation not in NOTATIONS:
            raise UserError(
                f"{self.name}: notation={notation!r} is not known; choose one of {', '.join(NOTATIONS)}"
            )
        self.annotations = self.by_split("annotations", annotations)
        self.images = None if images is None else self.path(images)
        self.notation = notation

    def places(self) -> list[Path]:
        return [*self.annotations.values(), *([] if self.images is None else [self.images])]

    def folder_of(self, entry: Entry) -> PictureFolder:
        return self.pictures_in(self.images or entry.content[0].parent)

    def entries(self) -> Iterator[Entry]:
        times: Counter[str] = Counter()
        for split, path in self.annotations.items():
            for place, record in read_records(path, self.name):
                called = record.get("id") if isinstance(record, dict) else None
                key = str(called) if isinstance(called, (str, int)) and str(called) else place
                # Ids repeat in the field's files: the picture's name serves for all conversations on it.
                times[key] += 1
                key = key if times[key] == 1 else f"{key}~{times[key]}"
                try:
                    yield Entry(_picture(record), (path, record), split, key)
                except DamagedError as error:
                    yield Entry("", (path, record), split, key, str(error))

    def describe(self, entry: Entry, picture: Picture) -> dict[str, Any]:
        captions: list[str] = []
        scene: Scene | None = None
        places: dict[str, Expression] = {}
        questions: list[Question] = []
        for place, question, answer in _turns(entry.content[1]):
            try:
                size = picture.width, picture.height
                told = read_turn(question, answer, *size, self.notation, first=place == 0)
                if isinstance(told, Expression) and places.setdefault(told.phrase, told) != told:
                    raise DamagedError(f"{told.phrase!r} was said of another place before")
                if isinstance(told, Scene) and scene not in (None, told):
                    raise DamagedError(f"the scene was {scene and scene.label!r} before")
            except DamagedError as error:
                self.quarantine(f"{entry.key}#{place}", str(error))
                continue
            if isinstance(told, str):
                captions.append(told)
            elif isinstance(told, Scene):
                scene = told
            elif isinstance(told, Question):
                questions.append(told)
        if not (captions or scene or places or questions):
            raise DamagedError("none of its turns can be used")
        return {
            "captions": tuple(captions), "questions": tuple(questions), "expressions": tuple(places.values()),
            "label": scene.label if scene else None, "labels": scene.labels if scene else (),
        }  # fmt: skip


def _picture(record: Any) -> str:
    """The name of an entry's one picture."""
    if isinstance(record, UserError):
        raise DamagedError(str(record).partition(": ")[2])
    if not isinstance(record, dict):
        raise DamagedError("is no conversation")
    named = record.get("image", record.get("images"))
    if named is None:
        named = [
            part.get("image") for part in _parts(record) if part.get("type") == "image" and part.get("image")
        ]
    names = named if isinstance(named, list) else [named]
    if len(names) != 1 or not isinstance(names[0], str) or not names[0].strip():
        raise DamagedError(
            f"has {len(names)} pictures; a sample has one" if len(names) > 1 else "has no picture"
        )
    return names[0]


def _parts(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of the messages whose content is a list."""
    messages = record.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict):
                yield part


def _turns(record: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Number, question and answer of each turn. DamagedError where nobody can tell who answers what."""
    said = list(_said(record))
    if said and said[0][0] == "system":
        del said[0]
    for place, (role, _) in enumerate(said):
        if role != ("user", "assistant")[place % 2]:
            raise DamagedError(f"part {place} is said by {role or 'nobody known'}, not by the other side")
    marks = [text.count(MARK) for _, text in said[::2]]
    if sum(marks) > 1:
        raise DamagedError(f"has {sum(marks)} {MARK} marks for one picture")
    if any(marks[1:]):
        raise DamagedError(f"{MARK} does not stand in the first question")
    for place in range(0, len(said), 2):
        answer = said[place + 1][1] if place + 1 < len(said) else ""
        yield place // 2, said[place][1].replace(MARK, " "), answer


def _said(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Role ("" for one not known) and text of each part of a conversation."""
    parts = record.get("conversations", record.get("messages"))
    if not isinstance(parts, list) or not parts:
        raise DamagedError("has no conversations")
    for part in parts:
        if not isinstance(part, dict):
            raise DamagedError("has a part that is no object")
        text = part.get("value", part.get("content"))
        if isinstance(text, list):
            pieces = [piece for piece in text if isinstance(piece, dict)]
            text = "".join(MARK if p.get("type") == "image" else str(p.get("text") or "") for p in pieces)
        if not isinstance(text, str):
            raise DamagedError("has a part without text")
        yield _ROLES.get(str(part.get("from", part.get("role"))).lower(), ""), text
