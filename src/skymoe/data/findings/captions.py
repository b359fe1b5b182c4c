"""One caption read: the things it names and how they lie to each other, by word lists and the rules below.

1. Words become marks: a thing, a relation, a link ("and", a comma), a verb, a pronoun, an end. All others (articles,
   numbers, adjectives, participles, "piece of") are passed over. Of things that follow each other without a word
   between them only the last counts: a school building is a building.
2. Linked things are one group: "trees and buildings". But a thing linked to a relation's group begins a statement of
   its own where a verb follows it, or a relation that leads nowhere: "near a river and cars are …", "with a road and
   trees beside it".
3. A relation joins the group before it to the group right after it. Where a verb stands before the relation, the group
   before it is the verb's subject: "a road with cars on it is near a viaduct" tells of the road. Without a verb it is
   the nearest group; what a thing has, or what it is in, does not take the relation over ("planes with shadows near a
   terminal", "a church in a park near a road"), unless it is "on" or "with"; and of linked things only the last has
   something ("trees and buildings with roofs").
4. A relation that leads to no thing is left out, as are a thing's relations to its like. "A surrounded by B" is told as
   "B around A", "A under B" as "B over A".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from skymoe.tasks.wording import pluralise

from .words import MEANS, PLACES, PRONOUNS, RELATIONS, THINGS, VERBS


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing as a caption names it: its singular name, and whether it is in the plural."""

    name: str
    plural: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """`first` `how` `second`, singular names: "tree", "beside", "road"."""

    first: str
    how: str
    second: str


@dataclass(frozen=True, slots=True)
class _Mark:
    kind: str  # T thing, R relation, L link, V verb, P pronoun, E end
    name: str = ""
    plural: bool = False


@dataclass(slots=True)
class _Group:
    first: int  # places of its first and last mark
    last: int
    names: list[str]


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", "[ -]") for word in sorted(words, key=len, reverse=True))


def _forms() -> dict[str, Mention]:
    """Every spelling of every thing."""
    forms: dict[str, Mention] = {}
    meant = {**{name: name for name in (*THINGS, *PLACES)}, **MEANS}
    for plural in (True, False):  # a spelling that is both is the singular one
        for spelling, name in meant.items():
            for form in (pluralise(spelling), spelling + "s") if plural else (spelling,):
                if plural and form in meant:
                    continue
                forms[form] = Mention(name, plural)
    return forms


FORMS = _forms()
_PATTERNS = sorted(
    ((pattern, how) for how, patterns in RELATIONS.items() for pattern in patterns),
    key=lambda pair: -len(pair[0]),  # of two that begin alike the longer one says more
)
_MARKS = re.compile(
    rf"\b(?P<T>{_alternatives(FORMS)})\b"
    rf"|\b(?:{'|'.join(f'(?P<R{n}>{pattern})' for n, (pattern, _) in enumerate(_PATTERNS))})\b"
    rf"|\b(?P<P>{_alternatives(PRONOUNS)})\b|\b(?P<V>{_alternatives(VERBS)})\b"
    r"|(?P<L>\b(?:and|or)\b|[,&])|(?P<E>[.;:!?])"
)
# What is told the other way round, so that one fact has one form.
_TURNED = {"surrounded by": "around", "under": "over"}
# These belong to the nearest group whatever stands before it.
_NEAREST = ("on", "with")
# What a thing has or is in does not take the next relation over.
_PASSED_BY = ("with", "in")


@lru_cache(16384)
def read_caption(caption: str) -> tuple[tuple[Mention, ...], tuple[Relation, ...]]:
    """The things a caption names and the relations it tells, in reading order; repeated ones stay."""
    marks = _marks(" ".join(caption.lower().split()))
    mentions = tuple(Mention(mark.name, mark.plural) for mark in marks if mark.kind == "T")
    groups = _groups(marks)
    relations: list[Relation] = []
    for place, mark in enumerate(marks):
        if mark.kind != "R":
            continue
        right = next((group for group in groups if group.first == place + 1), None)
        left = _subject(marks, groups, place)
        if left is None or right is None:
            continue
        only_last = mark.name == "with" and marks[place - 1].kind == "T"
        for first in left.names[-1:] if only_last else left.names:
            for second in right.names:
                if first != second:
                    turned = _TURNED.get(mark.name)
                    relations.append(
                        Relation(second, turned, first) if turned else Relation(first, mark.name, second)
                    )
    return mentions, tuple(relations)


def _marks(text: str) -> list[_Mark]:
    """Rule 1."""
    marks: list[_Mark] = []
    for match in _MARKS.finditer(text):
        kind = str(match.lastgroup)
        if kind == "T":
            mention = FORMS[match.group().replace("-", " ")]
            if marks and marks[-1].kind == "T":
                if mention == Mention("park", False) and marks[-1].plural:  # "cars park in lines"
                    continue
                marks.pop()  # "a square white building"
            marks.append(_Mark("T", mention.name, mention.plural))
        elif kind[0] == "R":
            marks.append(_Mark("R", _PATTERNS[int(kind[1:])][1]))
        else:
            marks.append(_Mark(kind))
    return marks


def _groups(marks: list[_Mark]) -> list[_Group]:
    """Rule 2."""
    groups: list[_Group] = []
    for place, mark in enumerate(marks):
        if mark.kind != "T":
            continue
        last = groups[-1] if groups else None
        linked = place >= 2 and all(m.kind == "L" for m in marks[last.last + 1 : place]) if last else False
        begins = _kind(marks, place + 1) == "V" or (
            _kind(marks, place + 1) == "R" and _kind(marks, place + 2) != "T"
        )
        of_relation = last is not None and last.first > 0 and marks[last.first - 1].kind == "R"
        if last is not None and linked and not (of_relation and begins):
            last.last = place
            last.names.append(mark.name)
        else:
            groups.append(_Group(place, place, [mark.name]))
    return groups


def _subject(marks: list[_Mark], groups: list[_Group], relation: int) -> _Group | None:
    """Rule 3: the group that the relation at this place tells of."""
    place, verb = relation - 1, False
    while _kind(marks, place) == "V" or (verb and _kind(marks, place) in ("P", "R")):  # "(on it) is (near)"
        place, verb = place - 1, True
    group = next((g for g in groups if g.last == place), None)
    while group is not None and group.first >= 2 and marks[group.first - 1].kind == "R":
        before = marks[group.first - 1].name
        if not verb and (marks[relation].name in _NEAREST or before not in _PASSED_BY):
            break
        end = group.first - 2
        while _kind(marks, end) == "V":
            end -= 1
        earlier = next((g for g in groups if g.last == end), None)
        if earlier is None:
            break
        group = earlier
    return group


def _kind(marks: list[_Mark], place: int) -> str:
    """The kind of mark at this place; beyond the caption's ends it is an end."""
    return marks[place].kind if 0 <= place < len(marks) else "E"


__all__ = ["Mention", "Relation", "read_caption"]
