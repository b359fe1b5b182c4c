"""What every editor gives back, how it says no, and what of a sample's texts stays true after an edit."""

from __future__ import annotations

import hashlib
import re
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skymoe.augment.phrases import colour_words
from skymoe.data.directions import names_count, names_position
from skymoe.errors import UserError
from skymoe.sample import Edit, Expression, Question, Region, Sample
from skymoe.tasks.expressions import referents
from skymoe.tasks.wording import pluralise, synonyms

Pixels = NDArray[np.uint8]
"""[height, width, 3], RGB."""


class RefusedError(UserError):
    """An edit that cannot be done honestly; ``reason`` is the short form that is counted."""

    def __init__(self, reason: str, sample: Sample, detail: str) -> None:
        super().__init__(f"{sample.id}: {detail}")
        self.reason = reason


GROUND = frozenset({
    "airport", "baseball diamond", "baseball field", "bridge", "crossroad", "dam", "expressway service area",
    "expressway toll station", "football field", "golf course", "golf field", "ground track field", "harbor", "helipad",
    "intersection", "overpass", "parking lot", "playground", "roundabout", "runway", "soccer field", "stadium",
    "swimming pool", "t-junction", "train station",
})  # fmt: skip
"""Classes that are part of the ground: they have no place of their own to be moved from, nor a colour."""


class Edited(NamedTuple):
    """A sample that tells its edit, and its picture; ``sample.image`` is still that of the original."""

    sample: Sample
    pixels: Pixels


class Outcome(NamedTuple):
    """The variants of one sample; ``missing`` says how many were wanted but cannot be had, by reason."""

    variants: list[Edited]
    missing: dict[str, int]


def generator(seed: int, kind: str, sample: Sample) -> Random:
    """The random numbers of one sample: they depend on nothing else, so neither does its result."""
    return Random(hashlib.sha256(f"{seed}/{kind}/{sample.id}".encode()).digest())


def edited_sample(
    sample: Sample,
    edit: Edit,
    number: int,
    regions: tuple[Region, ...],
    new: Expression | None = None,
) -> Sample:
    """The sample after the edit: new regions, and those texts that stay true without a doubt.

    The scene's label and its theme stay: they are the global half of the pair. Texts that name the edited
    class, count, or speak of a place or (after recolouring) a colour are left out.
    """
    return sample.replace(
        id=f"{sample.id}~{edit.kind}-{number}",
        window=None,
        regions=regions,
        expressions=tuple(e for e in (new, *_kept_expressions(sample, edit, regions, new)) if e is not None),
        captions=tuple(text for text in sample.captions if _stays(text, edit)),
        questions=tuple(question for question in sample.questions if _answer_stays(question, edit)),
        pair=sample.pair or sample.id,
        edits=(*sample.edits, edit),
    )


def _kept_expressions(
    sample: Sample, edit: Edit, regions: tuple[Region, ...], new: Expression | None
) -> list[Expression]:
    kept = []
    touched = {region.box for region in edit.before}
    for old in sample.expressions:
        if old.box in touched or (new is not None and old.phrase.lower() == new.phrase.lower()):
            continue
        if edit.kind == "recolour" and not colour_words(old.phrase):
            kept.append(old)  # places and sizes are what they were
            continue
        named = referents(old.phrase, regions, sample.width, sample.height)
        if named is not None and len(named) == 1 and named[0].box == old.box:
            kept.append(old)
    return kept


def _stays(text: str, edit: Edit) -> bool:
    if _names(text, edit.name) or names_count(text):
        return False
    if edit.kind == "relocate":
        return not names_position(text)
    return edit.kind != "recolour" or not colour_words(text)


def _answer_stays(question: Question, edit: Edit) -> bool:
    both = f"{question.text} {question.answer}"
    if question.kind == "theme":
        return not colour_words(both)
    # Something of the class is always left; what is not there is not put there.
    return question.kind == "presence" and not (
        names_position(both) or colour_words(both) or names_count(both)
    )


def _names(text: str, name: str) -> bool:
    words = {form for one in synonyms(name) for form in (one, pluralise(one))}
    return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in words)
