"""Asking a model all questions of a benchmark, writing every answer before anything is scored.

The file grows by whole batches. A run that was killed continues after the last whole batch with the very batches an
uninterrupted run would have had, so both write the same bytes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from PIL import Image

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import Item
from skymoe.identity import content
from skymoe.outputs import writing
from skymoe.pictures import open_sample
from skymoe.tasks import Query

log = logging.getLogger(__name__)
OTHER = "give another --out"
# What of the settings was not always kept, and what a warning calls it; of `questions` the digest was.
ADDED = {"pictures": "pictures", "dtype": "precisions", "questions": None}
See = Callable[[Image.Image], Image.Image]


class EngineLost(UserError):  # noqa: N818 - what has happened, not what is wrong with the input
    """The model cannot answer any more (an endpoint is gone): what is there is kept, nothing else is tried."""


class MadeOtherwise(UserError):  # noqa: N818 - what has happened, not what is wrong with the input
    """What lies in the folder came from another model, other pictures or settings: nothing is mixed with it."""


class Engine(Protocol):
    """What evaluation needs of a model: answers to queries, pairwise with pictures.

    A foreign one may also have ``settings`` (what of it decides the answers), ``question(query)`` (the words that it is
    asked with, where they are not the canonical ones) and ``input_size(width, height)`` (what it saw of a picture, the
    frame of boxes in pixels).
    """

    def answer(
        self, images: Sequence[Any], queries: Sequence[Query], *, constrained: bool = True, num_beams: int = 1
    ) -> list[Answer]: ...


def batches(items: Sequence[Item], batch_size: int) -> Iterator[list[Item]]:
    """Items in batches of at most ``batch_size`` questions; all those on one picture stay together."""
    batch: list[Item] = []
    for _, group in groupby(items, key=lambda item: item.sample.id):
        asked = list(group)
        if batch and len(batch) + len(asked) > batch_size:
            yield batch
            batch = []
        batch += asked
    if batch:
        yield batch


def predict(
    engine: Engine,
    items: Sequence[Item],
    path: Path,
    settings: dict[str, Any],
    *,
    see: See = lambda picture: picture,
    constrained: bool = True,
    num_beams: int = 1,
    batch_size: int = 32,
    advance: Callable[[int], None] = lambda questions: None,
) -> list[dict[str, Any]]:
    """All prediction lines of the items, from ``path`` as far as they are there, else from the model.

    ``see`` is what the model gets instead of the picture. ``advance`` is told how many questions were answered. A file
    beside ``path`` keeps ``settings`` and what else decides the answers.

    Raises:
        MadeOtherwise: ``path`` holds predictions that were made otherwise, or of pictures that have changed.
        UserError: a picture cannot be opened.
    """
    settings = {**settings, "constrained": constrained, "num_beams": num_beams, "batch_size": batch_size}
    if hasattr(engine, "settings"):
        settings["engine"] = engine.settings
    elif (dtype := getattr(getattr(engine, "model", None), "dtype", None)) is not None:
        settings["dtype"] = str(dtype).removeprefix("torch.")
    settings |= {"questions": len(items), "items": _digest(items), "pictures": _pictures(items)}
    with writing(path, OTHER):
        path.parent.mkdir(parents=True, exist_ok=True)
        _claim(path, settings)
        plan = list(batches(items, batch_size))
        lines, size = _kept(path, plan)
    advance(len(lines))
    with _opened(path, size) as file:
        first = _whole_batches(plan, len(lines))
        for batch in plan[first:]:
            # Pictures first: each is opened once, and the engine recognises it in all of its questions.
            seen = {item.sample.id: item.sample for item in batch}
            pictures = {name: see(open_sample(sample)) for name, sample in seen.items()}
            answers = engine.answer(
                [pictures[item.sample.id] for item in batch],
                [item.query for item in batch],
                constrained=constrained,
                num_beams=num_beams,
            )
            records = [_line(item, answer, engine) for item, answer in zip(batch, answers, strict=True)]
            with writing(path, OTHER):
                file.write("".join(_dump(record) for record in records).encode())
                file.flush()
            lines += records
            advance(len(records))
    return lines


def read_predictions(path: Path) -> list[dict[str, Any]]:
    """The lines of a complete predictions file.

    Raises:
        UserError: a line is none of a question's, or a question has two.
        OSError: the file can't be read.
    """
    lines: list[dict[str, Any]] = []
    known: set[str] = set()
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        record = _read(line + b"\n")
        if record is None:
            raise UserError(f"{path}: line {number} holds no answer to a question: evaluate again")
        if record["id"] in known:
            raise UserError(f"{path}: {record['id']!r} is answered twice: evaluate again with --fresh")
        known.add(record["id"])
        lines.append(record)
    return lines


@contextmanager
def _opened(path: Path, size: int) -> Iterator[BinaryIO]:
    """The file, to be continued after its first `size` bytes."""
    with writing(path, OTHER):
        file = path.open("ab")
    with file:
        file.truncate(size)
        yield file


def same_weights(before: Any, now: Any) -> bool:
    """Whether two notes on a model are of the same: a copy in a folder of another name is."""
    notes = [one.get("weights", one) if isinstance(one, dict) else one for one in (before, now)]
    return bool(notes[0] == notes[1])


def read_note(path: Path) -> dict[str, Any]:
    """How predictions were made, as it is kept beside them.

    Raises:
        MadeOtherwise: the note can't be read.
    """
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise MadeOtherwise(
            f"{path} can't be read ({reason}): delete it to start over, or {OTHER}"
        ) from error
    if not isinstance(note, dict):
        raise MadeOtherwise(f"{path} holds no settings: delete it to start over, or {OTHER}")
    return note


def _line(item: Item, answer: Answer, engine: Engine) -> dict[str, Any]:
    line = {**item.record(), "prediction": answer.text}
    if (words := getattr(engine, "question", None)) is not None:
        line["question"] = words(item.query)
    if item.query.task == "ground" and (seen := getattr(engine, "input_size", None)) is not None:
        size = seen(item.sample.width, item.sample.height)
        line |= {"input_size": list(size)} if size is not None else {}
    if answer.confidence is not None:
        line["confidence"] = float(f"{answer.confidence:.6g}")
    return line


def _dump(record: dict[str, Any]) -> str:
    # ASCII: a line separator inside an answer (U+2028) must not look like the end of a line to any reader.
    return json.dumps(record) + "\n"


def _claim(path: Path, settings: dict[str, Any]) -> None:
    """Note how the predictions are made; refuse to mix them with others."""
    note = path.with_suffix(".settings.json")
    if note.is_file() and path.is_file():
        before = read_note(note)
        unknown = [name for name in ADDED if name in settings and name not in before]
        if told := [called for name in unknown if (called := ADDED[name]) is not None]:
            log.warning("%s was begun before %s were compared: taken to be as now", path, " and ".join(told))
        for name in sorted({*before, *settings}.difference(unknown)):
            was, now = before.get(name), settings.get(name)
            if was != now and not (name == "model" and same_weights(was, now)):
                made = _difference(name, before, settings)
                raise MadeOtherwise(
                    f"{path} was made with {made}: give --fresh to start over, or another --out"
                )
        if not unknown:
            return
    else:
        path.unlink(missing_ok=True)
    part = note.with_suffix(".part")
    part.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(note)


def _difference(name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    if name == "pictures":
        return f"other pictures (content {before[name]}, now {now[name]})"
    if name == "items":
        numbers = [f"{one['questions']:,}" for one in (before, now) if isinstance(one.get("questions"), int)]
        told = (
            f" ({numbers[0]}, now {numbers[1]})"
            if len(set(numbers)) == 2
            else ": other ids, words or references"
        )
        return f"other questions{told}"
    return f"{name} {before.get(name)!r}, not {now.get(name)!r}"


def _kept(path: Path, plan: Sequence[Sequence[Item]]) -> tuple[list[dict[str, Any]], int]:
    """The records of the whole batches at the beginning of the file, and the bytes they take."""
    if not path.is_file():
        return [], 0
    raw = path.read_bytes().splitlines(keepends=True)
    kept: list[dict[str, Any]] = []
    size = 0
    for batch in plan:
        part = raw[len(kept) : len(kept) + len(batch)]
        records = [record for line in part if (record := _read(line)) is not None]
        if [record.get("id") for record in records] != [item.id for item in batch]:
            break
        kept += records
        size += sum(map(len, part))
    return kept, size


def _read(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and all(isinstance(record.get(key), str) for key in ("id", "prediction"))
    return record if whole else None


def _whole_batches(plan: Sequence[Sequence[Item]], records: int) -> int:
    done = number = 0
    while done < records:
        done += len(plan[number])
        number += 1
    return number


def _digest(items: Sequence[Item]) -> str:
    """Names the questions: their ids, wordings and references."""
    return sha256("".join(_dump(item.record()) for item in items).encode()).hexdigest()[:16]


def _pictures(items: Sequence[Item]) -> str:
    """Names what the pictures' files hold, whatever they are called and however old they are."""
    files = dict.fromkeys(item.sample.image for item in items)
    return sha256("".join(map(content, files)).encode()).hexdigest()[:16]
