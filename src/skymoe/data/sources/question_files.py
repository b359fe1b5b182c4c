"""RSIVQA's question files: one line a question."""

from __future__ import annotations

import re
from pathlib import Path

from skymoe.errors import UserError
from skymoe.sample import Question

_KINDS = (("theme", r"what is the theme"), ("presence", r"does this picture contain|is there|are there"),
          ("count", r"how many"), ("location", r"what is the location|where"))  # fmt: skip


def read_questions(path: Path, source: str) -> dict[str, tuple[Question, ...]]:
    """The questions of a file by picture name without suffix, in the order of the file; lines
    `image:question?answer`."""
    found: dict[str, list[Question]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: {path} can't be read as text; get the data set again") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        image, colon, rest = line.partition(":")
        text, mark, answer = rest.partition("?")
        if not (colon and mark and image.strip() and text.strip() and answer.strip()):
            raise UserError(
                f"{source}: {path}, line {number}: not `image:question?answer`; get the data set again"
            )
        question = Question(f"{' '.join(text.split())}?", " ".join(answer.split()), question_kind(text))
        found.setdefault(Path(image.strip()).stem, []).append(question)
    return {image: tuple(questions) for image, questions in found.items()}


def question_kind(text: str) -> str:
    """ "theme", "presence", "count", "location" or "other"."""
    plain = " ".join(text.lower().split())
    return next((kind for kind, pattern in _KINDS if re.match(pattern, plain)), "other")
