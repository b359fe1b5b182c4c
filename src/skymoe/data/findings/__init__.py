"""Findings: what each expert of RS-MoE is taught to say of a picture — its theme, its objects, how they lie.

Derived from what a sample's people wrote and marked, by rules that stand here, in `captions.py` and in the word lists
of `words.py`; `skymoe data findings SOURCE` shows what comes out.

* theme: the sample's scene label in plain words; else the answer to a question for the theme; else the scene that most
  captions name.
* objects: the things that captions name, those first that more captions name; in the plural where most mentions are.
  Then things that questions are answered yes or with a number for, then annotated regions' names.
* relations: "trees beside road", those first that more captions tell; numbers as for objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from skymoe.sample import Sample
from skymoe.tasks.labels import TRAINED_LABELS, display_label, find_labels
from skymoe.tasks.numbers import parse_count
from skymoe.tasks.questions import read_question
from skymoe.tasks.wording import pluralise, singularise

from .captions import Mention, Relation, read_caption
from .words import PLACES

EXPERTS = ("theme", "objects", "relations")
SEPARATOR = ", "
_DENIED = ("no", "zero", "0", "none", "i cannot see it")


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a picture, in plain words, the surest first; each may be empty."""

    theme: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def of(self, expert: str) -> tuple[str, ...]:
        """The findings of one expert by its name."""
        return {"theme": self.theme, "objects": self.objects, "relations": self.relations}[expert]

    def text(self, expert: str, most: int | None = None) -> str:
        """They as the expert says them: "trees beside road, cars on road"."""
        return SEPARATOR.join(self.of(expert)[:most])


def derive(sample: Sample) -> Findings:
    """The findings of a sample, by the rules above. The same sample always gives the same findings."""
    captions = [caption for caption in sample.captions if caption.strip()]
    plural: Counter[str] = Counter()  # mentions in the plural minus those in the singular
    named: Counter[str] = (
        Counter()
    )  # a Counter keeps the order in which its keys came: equal numbers by first mention
    told: Counter[Relation] = Counter()
    for caption in captions:
        mentions, relations = read_caption(caption)
        for mention in mentions:
            plural[mention.name] += 1 if mention.plural else -1
        named.update(dict.fromkeys((m.name for m in mentions if m.name not in PLACES), 1))
        told.update(dict.fromkeys(relations, 1))
    objects = [name for name, _ in named.most_common()]
    for mention in (*_answered(sample), *_annotated(sample)):
        if mention.name not in objects:
            objects.append(mention.name)
            plural[mention.name] += 1 if mention.plural else -1

    def written(name: str) -> str:
        return pluralise(name) if plural[name] > 0 else name

    phrases = (f"{written(r.first)} {r.how} {written(r.second)}" for r, _ in told.most_common())
    return Findings(_theme(sample, captions), tuple(map(written, objects)), tuple(phrases))


def prompt_words(samples: Iterable[Sample], most: int = 48) -> dict[str, tuple[str, ...]]:
    """For each expert the words that the Instruction Router may tell it, the more frequent first: themes; things; and
    for relations both the words of relations and the things related. Give samples of training splits only."""
    counted: dict[str, Counter[str]] = {expert: Counter() for expert in EXPERTS}
    for sample in samples:
        for expert, words in told_words(sample).items():
            counted[expert].update(words)
    return {expert: tuple(word for word, _ in counted[expert].most_common(most)) for expert in EXPERTS}


def told_words(sample: Sample) -> dict[str, tuple[str, ...]]:
    """For each expert the words, in the singular, that it should have been told to look for in this sample."""
    mentions: list[str] = []
    related: list[str] = []
    for caption in sample.captions:
        found, relations = read_caption(caption)
        mentions += (mention.name for mention in found if mention.name not in PLACES)
        for relation in relations:
            related += (relation.how, relation.first, relation.second)
    mentions += (mention.name for mention in (*_answered(sample), *_annotated(sample)))
    lists = (_theme(sample, sample.captions), mentions, related)
    return {expert: tuple(dict.fromkeys(words)) for expert, words in zip(EXPERTS, lists, strict=True)}


def _theme(sample: Sample, captions: Iterable[str]) -> tuple[str, ...]:
    if sample.label:
        return (display_label(sample.label),)
    for question in sample.questions:
        if question.kind == "theme" and question.answer.strip():
            return (display_label(question.answer),)
    scenes = Counter(label for caption in captions for label in find_labels(caption, TRAINED_LABELS))
    return (scenes.most_common(1)[0][0],) if scenes else ()


def _answered(sample: Sample) -> list[Mention]:
    """Things that a question's answer says are there."""
    found = []
    for question in sample.questions:
        known, answer = read_question(question.text), question.answer.strip().lower()
        if known is None or known[0] not in ("presence", "count", "location") or answer in _DENIED:
            continue
        number = parse_count(answer) if known[0] == "count" else None
        thing = _thing(known[1])
        found.append(thing if number is None else Mention(thing.name, number > 1))
    return found


def _annotated(sample: Sample) -> list[Mention]:
    regions = Counter(region.name for region in sample.regions)
    return [Mention(_thing(name).name, number > 1) for name, number in regions.most_common()]


def _thing(noun: str) -> Mention:
    """A noun as captions would have it: "red cars" are cars. One that is in no list stays, in the singular."""
    mentions, _ = read_caption(noun)
    one = singularise(noun.lower())
    return mentions[-1] if mentions else Mention(one, one != noun.lower())


__all__ = ["EXPERTS", "SEPARATOR", "Findings", "derive", "prompt_words", "told_words"]
