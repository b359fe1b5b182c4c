"""Visual question answering: a short answer to any question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from random import Random

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.sample import Question, Sample
from skymoe.tasks.base import FreeText, OneOf, Query, Task
from skymoe.tasks.labels import display_label, find_labels, label_key, same_label
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.questions import presence_question, read_question, reword, scene_question, with_suffix
from skymoe.tasks.wording import singularise

YES_NO = ("yes", "no")
_YES_NO_QUESTION = re.compile(r"(is|are|was|were|does|do|did|can|could|has|have|any)\b", re.IGNORECASE)
# Scenes that are objects: where the scene is one, at least one such object is to be seen.
_SCENE_OBJECTS = {
    "airplane": "airplane", "bridge": "bridge", "buildings": "building", "church": "church", "forest": "tree",
    "mobile home park": "mobile home", "overpass": "overpass", "pond": "pond", "river": "river",
    "runway": "runway", "stadium": "stadium", "storage tanks": "storage tank", "tennis court": "tennis court",
    "viaduct": "viaduct",
}  # fmt: skip


class Vqa(Task):
    """Target: the dataset's answer as given (counts in words where it writes words), or "yes"/"no"."""

    name = "vqa"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        """The dataset's questions, then derived ones: presence, theme, and whether it is this scene.

        With ``rng`` the derived "no" questions are thinned to the number of "yes" ones (at least one).
        """
        own = [_official(question) for question in sample.questions]
        asked = {known for question in sample.questions if (known := read_question(question.text))}
        about = {(family, singularise(noun)) for family, noun in asked}
        presence = {name: bool(sample.count(name)) for name in sorted(sample.complete | sample.absent)}
        if sample.label and (thing := _SCENE_OBJECTS.get(display_label(sample.label))):
            presence.setdefault(thing, True)
        yes = [_yes_no(presence_question(n), True, "presence") for n, there in presence.items()
               if there and ("presence", n) not in about]  # fmt: skip
        no = [_yes_no(presence_question(n), False, "presence") for n, there in presence.items()
              if not there and ("presence", n) not in about]  # fmt: skip
        found = own + yes + _thin(no, max(1, len(yes)), rng)
        if sample.label:
            label = display_label(sample.label)
            if ("theme", "") not in about:
                found.append(Query("vqa", "What is the theme of this picture?", label, kind="theme"))
            others = [name for name in sample.labels if not same_label(name, label)]
            found.append(_yes_no(scene_question(label), True, "scene"))
            found += _thin(
                [_yes_no(scene_question(display_label(n)), False, "scene") for n in others], 1, rng
            )
        return found

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        question = " ".join((query.subject or "").split())
        if not question:
            raise UserError("the question is empty: ask something, for instance 'Are there any ships?'")
        if rng is not None:
            return reword(question, rng)
        return with_suffix(question)

    def shape(self, query: Query) -> FreeText | OneOf:
        question = (query.subject or "").strip()
        closed = query.kind in ("presence", "scene") or _YES_NO_QUESTION.match(question)
        if closed and not re.search(r"\bor\b", question, re.IGNORECASE):
            return OneOf(YES_NO)
        return OneOf(query.labels) if query.labels else FreeText(max_tokens=16)

    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        """``label`` is the normalised answer, or with ``labels`` the one of them that it contains."""
        answer = normalise_answer(text)
        label: str | None = answer or None
        if labels:
            # Yes and no only by the first token: "there is no doubt" is neither.
            closed = all(label_key(name) in YES_NO for name in labels)
            found = find_labels(answer if not closed or answer in YES_NO else "", labels)
            label = found[0] if len(found) == 1 else None
        number = None if answer in YES_NO else parse_count(answer)
        return Answer("vqa", text, label=label, number=number, parsed=label is not None)


_MARKERS = re.compile(r"<\|?/?[a-z_]+\|?>")
_ANSWER_MARK = re.compile(r"\banswer\s*(?:is\b|:)\s*:?|\bassistant\s*:")
_CLAUSE_END = re.compile(r"[!?;\n]|\.(?!\d)|:(?!\d)|\s[-–—]\s|\s(?=because\b|since\b)")
_CLAUSE_WORD = re.compile(
    r"(because|since|as|which|that|this|it|its|there|so|but|although|though|while|with|where|i)\b"
)
_EDGES = " \t\"'`*_~#()[]{}<>«»“”‘’.,;:!?-–—"


def normalise_answer(text: str) -> str:
    """The answer part only: NFKC, lower case, first clause, no quotes, markdown or punctuation around it.

    An answer that begins with "yes" or "no" is that word. A comma ends the clause unless it separates the
    items of a list that closes with "and" or "or" ("left, center and right" is one answer).
    """
    plain = unicodedata.normalize("NFKC", text).lower().rpartition("</think>")[2]
    plain = _MARKERS.sub(" ", plain)
    start = 0
    for mark in _ANSWER_MARK.finditer(plain):
        # What follows the last mark, unless nothing does.
        start = mark.end() if plain[mark.end() :].strip(_EDGES + "\r\n") else start
    plain = plain[start:].lstrip(_EDGES + "\r\n")
    clause = _CLAUSE_END.split(plain, maxsplit=1)[0]
    items = [item.strip() for item in re.split(r",(?!\d)", clause)]
    listed = (
        len(items) > 1
        and re.search(r"\b(and|or)\b", items[-1]) is not None
        and all(len(item.split()) <= 4 and not _CLAUSE_WORD.match(item) for item in items)
    )
    clause = clause if listed else items[0]
    clause = " ".join(clause.split()).strip(_EDGES)
    first = re.match(r"\w+", clause)
    return first.group() if first and first.group() in YES_NO else clause


def same_answer(text: str, reference: str) -> bool:
    """Whether ``text`` gives the answer ``reference``; an empty answer never does.

    Both are normalised; then spelling ("parkinglot", "Parking lot") and the way a number is written ("13",
    "thirteen") do not matter.
    """
    given, wanted = normalise_answer(text), normalise_answer(reference)
    if not given or given == wanted:
        return bool(given)
    if given in YES_NO or wanted in YES_NO:
        return False
    number = parse_count(wanted)
    return label_key(given) == label_key(wanted) != "" or (
        number is not None and parse_count(given) == number
    )


def _official(question: Question) -> Query:
    answer = " ".join(question.answer.split())
    target = display_label(answer) if question.kind == "theme" else answer
    return Query("vqa", " ".join(question.text.split()), target, kind=question.kind, official=True)


def _yes_no(question: str, yes: bool, kind: str) -> Query:
    return Query("vqa", question, YES_NO[0] if yes else YES_NO[1], kind=kind)


def _thin(queries: list[Query], most: int, rng: Random | None) -> list[Query]:
    return queries if rng is None or len(queries) <= most else rng.sample(queries, most)
