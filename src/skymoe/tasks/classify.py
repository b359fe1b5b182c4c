"""Scene classification: which of a closed list of scenes the picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from skymoe.answer import Answer
from skymoe.sample import Sample
from skymoe.tasks.base import OneOf, Query, Task
from skymoe.tasks.labels import TRAINED_LABELS, display_label, find_labels, is_trained
from skymoe.tasks.wording import loosen

CANONICAL = "Which scene does this image belong to?"
LONGEST_LIST = 12
# How often a training question names a short list, so that nano learns to read one.
_LISTED = 0.1
WORDINGS = (
    CANONICAL,
    "Which scene does this picture belong to?",
    "What scene is this?",
    "What kind of scene does this image show?",
    "What type of scene is it?",
    "Scene type?",
    "What is this?",
    "What is this place?",
    "What kind of place is this?",
    "Classify this image.",
    "Classify the scene.",
    "Which category does this image belong to?",
    "Name the scene category of this aerial image.",
    "What land use does this image show?",
    "Give the scene class in one or two words.",
    "Classify the image. Answer in one word or a short phrase.",
    "Label this picture.",
    "What is shown here? Answer with the scene class.",
)


class Classify(Task):
    """Target: the label in plain words, "railway station". The engine's token trie enforces the list."""

    name = "classify"

    def queries(self, sample: Sample, rng: Random | None = None) -> list[Query]:
        """One query; with ``rng`` its list is now and then a short one: the label and a few others."""
        if sample.label is None:
            return []
        target = display_label(sample.label)
        labels = tuple(dict.fromkeys(map(display_label, sample.labels)))
        others = [label for label in labels if label != target]
        if rng is not None and len(labels) > LONGEST_LIST and rng.random() < _LISTED:
            few = [target, *rng.sample(others, rng.randint(1, 5))]
            labels = tuple(rng.sample(few, len(few)))
        return [Query("classify", target=target, labels=labels, official=True)]

    def prompt(self, query: Query, rng: Random | None = None) -> str:
        """The list is named only where it is short (≤ 12) and none of those nano knows by heart."""
        listed = bool(query.labels) and len(query.labels) <= LONGEST_LIST and not is_trained(query.labels)
        wording = loosen(rng.choice(WORDINGS), rng, keep_end=listed) if rng else CANONICAL
        return f"{wording} Choose from: {', '.join(map(display_label, query.labels))}." if listed else wording

    def shape(self, query: Query) -> OneOf:
        return OneOf(tuple(dict.fromkeys(map(display_label, query.labels))) or TRAINED_LABELS)

    def parse(self, text: str, *, width: int, height: int, labels: Sequence[str] = ()) -> Answer:
        """``label`` comes back in the caller's spelling; without ``labels`` the trained ones are sought."""
        found = find_labels(text, labels or TRAINED_LABELS)
        return Answer("classify", text, label=found[0] if len(found) == 1 else None, parsed=len(found) == 1)
