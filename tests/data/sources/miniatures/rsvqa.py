"""RSVQA's files: every split's file lists all entries, those of other splits as inactive stubs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.sources.miniatures.drawn import draw

Asked = tuple[int, str, str, str]
"""Picture, question, answer, type."""


def write_files(
    home: Path, prefix: str, asked: Mapping[str, Sequence[Asked]], folder: str, suffixes: Sequence[str]
) -> None:
    everything = [(split, *question) for split, questions in asked.items() for question in questions]
    pictures = sorted({picture for _, picture, *_ in everything})
    for split in asked:
        questions, answers = [], []
        for number, (its_split, picture, text, answer, kind) in enumerate(everything):
            if its_split != split:
                questions.append({"id": number, "active": False})
                answers.append({"id": number, "active": False})
                continue
            questions.append({"id": number, "date_added": 1.5e9, "img_id": picture, "people_id": 0, "type": kind,
                              "question": text, "answers_ids": [number], "active": True})  # fmt: skip
            answers.append({"id": number, "date_added": 1.5e9, "question_id": number, "people_id": 0,
                            "answer": answer, "active": True})  # fmt: skip
        images = []
        for picture in pictures:
            ids = [number for number, q in enumerate(everything) if q[0] == split and q[1] == picture]
            stub = {"id": picture, "active": False}
            images.append({"id": picture, "original_name": "S2A.tif", "questions_ids": ids, "active": True}
                          if ids else stub)  # fmt: skip
        for what, content in (("questions", questions), ("answers", answers), ("images", images)):
            path = home / f"{prefix}_split_{split}_{what}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({what: content}), encoding="utf-8")
    for picture in pictures:
        for suffix in suffixes:
            draw(home / folder / f"{picture}{suffix}", [], (32, 32))
