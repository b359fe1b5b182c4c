"""RSIVQA's question files: one line a question."""

from __future__ import annotations

import re
from pathlib import Path

from skymoe.data.sources.base import Source, malformed
from skymoe.data.sources.reading import read_lines
from skymoe.sample import Question

_KINDS = (("theme", r"what is the theme"), ("presence", r"does this picture contain|is there|are there"),
          ("count", r"how many"), ("location", r"what is the location|where"))  # fmt: skip


def read_questions(path: Path, source: Source) -> dict[str, tuple[Question, ...]]:
    """The questions of a file by picture name without suffix, in the order of the file; lines
    `image:question?answer`. Other lines are quarantined; UserError where no line is one."""
    found: dict[str, list[Question]] = {}
    for number, line in enumerate(read_lines(path, source.name), 1):
        image, colon, rest = line.partition(":")
        text, mark, answer = rest.partition("?")
        if not (colon and mark and image.strip() and text.strip() and answer.strip()):
            source.quarantine(f"{path.name} line {number}", "it is not `image:question?answer`")
            continue
        question = Question(f"{' '.join(text.split())}?", " ".join(answer.split()), question_kind(text))
        found.setdefault(Path(image.strip()).stem, []).append(question)
    if not found:
        raise malformed(path, "no line is `image:question?answer`", source.name)
    return {image: tuple(questions) for image, questions in found.items()}


def question_kind(text: str) -> str:
    """ "theme", "presence", "count", "location" or "other"."""
    plain = " ".join(text.lower().split())
    return next((kind for kind, pattern in _KINDS if re.match(pattern, plain)), "other")
