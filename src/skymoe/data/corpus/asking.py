"""From a sample to the items of a corpus: which questions, in which words, with which answers.

An item is one question on one picture in the chat format, with what its answer means beside it. All items have
the same keys, so that any reader of JSONL or Parquet infers one schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from skymoe import boxes
from skymoe.sample import Expression, Sample
from skymoe.tasks import TASKS, Query, Task
from skymoe.tasks.numbers import parse_count

_IMAGE_KINDS = {"theme", "scene", "rural_urban", "rural/urban", "comp_scene"}
_OBJECT_KINDS = {"location", "position", "object location", "object position", "colour", "color", "direction"}
MEDIA_TAGS = ("<image>", "<video>", "<audio>")
"""Trainers put the media there; a text that holds one by chance would take a picture that is not there."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How questions are asked: the share in canonical words, and the form of `messages`."""

    canonical: float
    messages: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item's record and the key of what it asks and answers (not in which words): equal keys ask the same."""

    record: dict[str, Any]
    key: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A question that cannot be an item, and why."""

    id: str
    reason: str


def ask(
    sample: Sample,
    most: Mapping[str, int],
    rng: Random,
    wording: Wording,
    image: str,
    colours: Sequence[Expression] = (),
) -> tuple[list[Item], list[Refused]]:
    """The items of one sample: of each task at most `most[task]` questions, drawn by `rng`.

    `image` is how the items refer to the picture, `colours` are phrases measured from it.
    """
    items: list[Item] = []
    refused: list[Refused] = []
    for name, limit in most.items():
        task = TASKS[name]
        for number, query in enumerate(chosen(task, sample, limit, rng, colours if name == "ground" else ())):
            identity = f"{sample.id}#{name}-{number}"
            messages = _messages(task, query, rng, wording)
            if reason := _fault(task, query, sample, messages):
                refused.append(Refused(identity, reason))
            else:
                said = tagged(messages) if wording.messages == "tagged" else messages
                items.append(_item(identity, task, query, sample, said, image))
    return items, refused


def chosen(
    task: Task, sample: Sample, limit: int, rng: Random, colours: Sequence[Expression] = ()
) -> list[Query]:
    """At most `limit` different questions of one task."""
    measured = [
        Query("ground", phrase.phrase, _box_text(phrase, sample), kind="colour", box=phrase.box)
        for phrase in colours
    ]
    asked: list[Query] = []
    empty = 0
    # A task gives one random choice at a time where there are several true answers (five captions).
    while len(asked) < limit and empty < 2:
        fresh = [query for query in task.queries(sample, rng) + measured if query not in asked]
        asked += rng.sample(fresh, min(len(fresh), limit - len(asked)))
        empty = 0 if fresh else empty + 1
    return asked


def granularity(task: str, kind: str | None) -> str:
    """What of the picture the question is about: "image", "region" (a class of objects) or "object"."""
    if task in ("caption", "classify"):
        return "image"
    if task == "ground":
        return "object"
    if task == "count":
        return "region"
    plain = (kind or "").lower()
    return "image" if plain in _IMAGE_KINDS else "object" if plain in _OBJECT_KINDS else "region"


def tagged(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The messages with plain strings, `<image>` where the picture stands (LLaMA-Factory, ms-swift, LLaVA)."""
    plain = []
    for message in messages:
        parts = ["<image>" if part["type"] == "image" else part["text"] for part in message["content"]]
        plain.append({"role": message["role"], "content": "\n".join(parts)})
    return plain


def word(text: str) -> int:
    """64 bits of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _messages(task: Task, query: Query, rng: Random, wording: Wording) -> list[dict[str, Any]]:
    # The canonical wording, which benchmarks and the typed commands use, is practised more than any paraphrase.
    own_words = None if rng.random() < wording.canonical else rng
    return task.messages(query, own_words, with_answer=True)


def _fault(task: Task, query: Query, sample: Sample, messages: Sequence[Mapping[str, Any]]) -> str | None:
    assert query.target is not None
    texts = [part["text"] for message in messages for part in message["content"] if part["type"] == "text"]
    if not query.target.strip():
        return "the answer is empty"
    if tag := next((tag for tag in MEDIA_TAGS for text in texts if tag in text), None):
        return f"the text holds {tag}"
    if query.box is not None:
        x1, y1, x2, y2 = query.box
        if not (x1 < x2 and y1 < y2 and x2 > 0 and y2 > 0 and x1 < sample.width and y1 < sample.height):
            return f"the box {_short(query.box)} is not inside the {sample.width}×{sample.height} picture"
    if task.name == "ground" and query.official:
        phrase = (query.subject or "").lower().split()
        if len({e.box for e in sample.expressions if e.phrase.lower().split() == phrase}) > 1:
            return f"the phrase {query.subject!r} stands at several boxes of the picture"
    answer = task.parse(query.target, width=sample.width, height=sample.height, labels=query.labels)
    return None if answer.parsed else f"the answer {query.target[:60]!r} is none to a question of {task.name}"


def _item(
    identity: str, task: Task, query: Query, sample: Sample, messages: Sequence[Mapping[str, Any]], image: str
) -> Item:
    target = query.target or ""
    number = parse_count(target) if task.name in ("count", "vqa") and target not in ("yes", "no") else None
    box = None if query.box is None else boxes.Box(*query.box).clip(sample.width, sample.height)
    record = {
        "id": identity,
        "messages": messages,
        "images": [image],
        "task": task.name,
        "granularity": granularity(task.name, query.kind),
        "source": sample.source,
        "licence": sample.licence,
        "split": sample.split,
        "pair": sample.pair,
        "sample": sample.id,
        "width": sample.width,
        "height": sample.height,
        "answer": {
            "text": target,
            "label": target if task.name in ("classify", "vqa") else None,
            "number": number,
            "boxes": [] if box is None else [[round(edge, 3) for edge in box.xyxy]],
            "subject": query.subject,
            "kind": query.kind,
            "official": query.official,
        },
    }
    said = "\0".join(" ".join(part.lower().split()) for part in (task.name, query.subject or "", target))
    return Item(record, word(said))


def _box_text(expression: Expression, sample: Sample) -> str:
    return boxes.format_box(boxes.Box(*expression.box), sample.width, sample.height)


def _short(box: Sequence[float]) -> str:
    return "(" + ", ".join(f"{edge:g}" for edge in box) + ")"
