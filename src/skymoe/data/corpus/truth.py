"""Whether an item says what the annotation of its picture says: derived again from the sample, task by task."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from skymoe.boxes import parse_boxes
from skymoe.data.corpus.phrases import COLOURS, names_one
from skymoe.errors import UserError
from skymoe.pictures import open_picture
from skymoe.sample import Region, Sample
from skymoe.tasks.labels import display_label, label_key, label_words
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.wording import pluralise, singularise, synonyms

Broken = tuple[str, str]


def truth_faults(
    item: dict[str, Any], sample: Sample, asked: str, answered: str, corpus: Path
) -> tuple[list[Broken], list[str]]:
    """(rule, detail) of everything that is not as annotated, and the names of the rules that were applied."""
    faults: list[Broken] = []
    rules: list[str] = ["picture of the sample"]
    answer = item["answer"]
    if item["images"] != [sample.image] or (item["width"], item["height"]) != (sample.width, sample.height):
        faults.append(("samples", "shows another picture than its sample, or of another size"))
    if item["pair"] != sample.pair:
        faults.append(("samples", f"belongs to the pair {item['pair']!r}, its sample to {sample.pair!r}"))
    if answered != answer["text"]:
        faults.append(
            ("answers", f"the assistant says {answered[:60]!r}, the answer is {answer['text'][:60]!r}")
        )
    check = {"caption": _caption, "classify": _classify, "count": _count, "ground": _ground, "vqa": _vqa}
    if item["task"] not in check:
        return [*faults, ("schema", f"unknown task {item['task']!r}")], rules
    try:
        rules.append(check[item["task"]](answer, sample, asked, corpus))
    except _WrongError as error:
        faults.append((error.rule, str(error)))
    return faults, rules


class _WrongError(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


def _caption(answer: dict[str, Any], sample: Sample, asked: str, corpus: Path) -> str:
    def bare(text: str) -> str:
        return "".join(text.split())

    if bare(answer["text"]) not in map(bare, sample.captions):
        raise _WrongError("truth", f"{answer['text'][:60]!r} is no caption of the picture")
    return "caption is annotated"


def _classify(answer: dict[str, Any], sample: Sample, asked: str, corpus: Path) -> str:
    if sample.label is None or label_key(answer["text"]) != label_key(sample.label):
        raise _WrongError("truth", f"the scene is {sample.label!r}, not {answer['text']!r}")
    if sample.labels and label_key(answer["text"]) not in map(label_key, sample.labels):
        raise _WrongError("truth", f"{answer['text']!r} is none of the scenes of its data set")
    listed = re.search(r"Choose from: (.+)\.", asked)
    if listed and label_key(answer["text"]) not in map(label_key, listed[1].split(",")):
        raise _WrongError("truth", f"{answer['text']!r} is not in the list of the question")
    return "scene is annotated"


def _count(answer: dict[str, Any], sample: Sample, asked: str, corpus: Path) -> str:
    name, number = answer["subject"] or "", answer["number"]
    if number is None or number < 0 or parse_count(answer["text"]) != number:
        raise _WrongError("answers", f"{answer['text']!r} is not the number {number!r}")
    if not _asks_about(asked, name):
        raise _WrongError("answers", f"{asked!r} does not ask about {name!r}")
    return _counted(name, number, sample)


def _counted(name: str, number: int, sample: Sample) -> str:
    if name in sample.complete:
        there = sum(region.name == name for region in sample.regions)
        if there != number:
            raise _WrongError("truth", f"there are {there} {name!r}, not {number}")
        return "count of boxes"
    if name in sample.absent:
        if number:
            raise _WrongError("truth", f"there is no {name!r}, not {number}")
        return "count of what is absent"
    for question in sample.questions:
        words = [singularise(part) for part in re.findall(r"[\w'-]+", question.text.lower())]
        if (
            all(part in words for part in singularise(name.lower()).split())
            and parse_count(question.answer) == number
        ):
            return "count is a question of the data set"
    raise _WrongError("truth", f"nothing is known of {number} {name!r}")


def _ground(answer: dict[str, Any], sample: Sample, asked: str, corpus: Path) -> str:
    width, height = sample.width, sample.height
    written = parse_boxes(answer["text"], width, height)
    if len(written) != 1 or len(answer["boxes"]) != 1:
        raise _WrongError("boxes", f"{answer['text']!r} is not one box")
    x1, y1, x2, y2 = box = answer["boxes"][0]
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise _WrongError("boxes", f"the box {box} is not inside {width}×{height}")
    # Whole hundredths of the side: rounded by half a step, a thin object widened by one.
    steps = [abs(a - b) / size for a, b, size in zip(written[0].xyxy, box, (width, height) * 2, strict=True)]
    if max(steps) > 0.0101:
        raise _WrongError("boxes", f"{answer['text']} is another box than {box}")
    phrase = answer["subject"] or ""
    if answer["official"]:
        # Is it the only box that the data set gives this phrase?
        boxes = {e.box for e in sample.expressions if e.phrase.lower().split() == phrase.lower().split()}
        if len(boxes) != 1 or not _close(next(iter(boxes)), box):
            raise _WrongError(
                "truth", f"{phrase!r} stands at {len(boxes)} boxes of the annotation, or at another"
            )
        return "phrase is annotated, once"
    _named(phrase, box, sample, corpus)
    said = _phrase_in(asked, sample)
    if said is None:
        raise _WrongError("phrases", f"{asked!r} names no object of the picture")
    _named(said, box, sample, corpus)
    return (
        "colour names one object" if any(colour in said for colour in COLOURS) else "phrase names one object"
    )


def _named(phrase: str, box: list[float], sample: Sample, corpus: Path) -> None:
    """That the phrase names the object in that box and no other."""
    for name in sorted(sample.complete, key=len, reverse=True):
        for called in sorted(synonyms(name), key=len, reverse=True):
            if phrase.lower().endswith(called):
                objects = [region for region in sample.regions if region.name == name]
                try:
                    found = names_one(
                        phrase[: -len(called)],
                        objects,
                        sample.width,
                        sample.height,
                        _pixels(phrase, sample, corpus),
                    )
                except ValueError as error:
                    raise _WrongError("phrases", f"{phrase!r}: {error}") from None
                if not _close(found.box, box):
                    raise _WrongError("phrases", f"{phrase!r} is another object than the one in {box}")
                return
    raise _WrongError("phrases", f"{phrase!r} names nothing that is annotated completely")


def _pixels(phrase: str, sample: Sample, corpus: Path) -> Image.Image | None:
    if not any(colour in phrase.split() for colour in COLOURS):
        return None
    try:
        return _picture(corpus / sample.image)
    except UserError as error:
        raise _WrongError("pictures", str(error)) from None


@lru_cache(maxsize=4)
def _picture(path: Path) -> Image.Image:
    return open_picture(path)


def _phrase_in(asked: str, sample: Sample) -> str | None:
    """The phrase as the question words it: from its article to the name of an object."""
    plain = " ".join(re.sub(r"</?p>", " ", asked).split())
    between = r"(?:(?!the\b|of\b)[\w-]+ ){0,3}?"
    for name in sorted(sample.complete, key=len, reverse=True):
        match = re.search(rf"\b((?:the|an?) {between}{re.escape(name)})\b", plain, re.IGNORECASE)
        if match:
            return match[1]
    return None


def _vqa(answer: dict[str, Any], sample: Sample, asked: str, corpus: Path) -> str:
    subject, text, kind = answer["subject"] or "", answer["text"], answer["kind"]
    if answer["official"]:
        for question in sample.questions:
            same_words = question.text.lower().split() == subject.lower().split()
            if same_words and label_key(question.answer) == label_key(text):
                return "answer is annotated"
        raise _WrongError("truth", f"the data set does not answer {subject!r} with {text!r}")
    if kind == "theme":
        if sample.label is None or label_key(sample.label) != label_key(text):
            raise _WrongError("truth", f"the theme is {sample.label!r}, not {text!r}")
        return "theme is the scene"
    if kind == "scene" and (match := re.fullmatch(r"Is this an? (.+) scene\?", subject)):
        same = sample.label is not None and label_key(singularise(display_label(sample.label))) == label_key(
            match[1]
        )
        if same != (text == "yes") or text not in ("yes", "no"):
            raise _WrongError("truth", f"{subject!r}: the scene is {sample.label!r}, not {text!r}")
        return "scene or not"
    if kind == "presence" and (match := re.fullmatch(r"Is there (?:an? )?(.+) in this image\?", subject)):
        there = _there(match[1], sample)
        if there is None or there != (text == "yes") or text not in ("yes", "no"):
            raise _WrongError("truth", f"{subject!r}: annotated is {there}, not {text!r}")
        return "presence or absence of a class"
    raise _WrongError("truth", f"nothing is known that answers {subject!r}")


def _there(name: str, sample: Sample) -> bool | None:
    """Whether the annotation has such an object; a scene that is called after an object shows one."""
    if any(region.name == name for region in sample.regions):
        return True
    if name in sample.complete | sample.absent:
        return False
    called = singularise(" ".join(label_words(display_label(sample.label or ""))))
    named = called == name or called.startswith(f"{name} ")  # a mobile home park has mobile homes
    return True if named or (called, name) == ("forest", "tree") else None


def _asks_about(asked: str, name: str) -> bool:
    plain = asked.lower()
    return any(form.lower() in plain for called in synonyms(name) for form in (called, pluralise(called)))


def _close(a: Region | tuple[float, ...] | list[float], b: list[float]) -> bool:
    edges = a.box if isinstance(a, Region) else a
    return max(abs(x - y) for x, y in zip(edges, b, strict=True)) < 0.01
