"""Reading prediction lines, also those of strangers: every line is either sound or named by its number.

A file is JSON Lines (one object a line, UTF-8; a byte order mark, CRLF and blank lines do no harm) or one JSON array of
objects. What a line must hold is said in :mod:`skymoe.evaluation.checking`; files of other projects are rewritten line
by line before they are checked (:mod:`skymoe.evaluation.converters`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from skymoe.errors import UserError
from skymoe.evaluation.checking import check, kind_of, quoted

LONGEST = 1 << 20
"""Bytes of a line: no answer is that long, and a text without line ends must not fill the memory."""
LARGEST_ARRAY = 1 << 29
"""Bytes of a file that is one JSON array, which must be read as a whole."""
MOST_DIGITS = 100
_NAMED = 5
_NUMBERED = 20
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Invalid:
    """A line (or an array's entry, counted from 1) that cannot be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Lines:
    """The sound records in the file's order, the others, and what was said or assumed about the file."""

    records: list[dict[str, Any]]
    invalid: list[Invalid] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def complaint(self) -> str:
        """One line that names the invalid lines: the first ones with reasons, more by number, and how many."""
        named = "; ".join(f"line {bad.line}: {bad.reason}" for bad in self.invalid[:_NAMED])
        rest = [str(bad.line) for bad in self.invalid[_NAMED:]]
        if not rest:
            return named
        more = ", ".join(rest[:_NUMBERED]) + (", …" if len(rest) > _NUMBERED else "")
        return f"{named}; and {len(rest):,} more (lines {more})"


Entry = tuple[int, dict[str, Any] | Invalid]
Rewrite = Callable[[dict[str, Any], int], dict[str, Any]]


def read_lines(
    path: Path,
    task: str,
    *,
    rewrite: Rewrite | None = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    labels: Sequence[str] = (),
    image_size: tuple[float, float] | None = None,
    skip_invalid: bool = False,
) -> Lines:
    """All records of a prediction file that can be scored as ``task``, checked.

    ``rewrite`` turns an object of another project's file, and its number, into ours; it raises ValueError with the
    reason where it cannot. ``references`` has by id what the lines themselves do not say. ``labels`` and
    ``image_size`` (width, height) are for lines that have none of their own.

    Raises:
        UserError: where the file cannot be read or holds nothing, and, unless ``skip_invalid``, where a line cannot be
            used; with it, where no line can.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    invalid: list[Invalid] = []
    for number, entry in entries(path):
        try:
            if isinstance(entry, Invalid):
                raise ValueError(entry.reason)
            line = _completed(entry, references)
            found.append((number, rewrite(line, number) if rewrite else line))
        except ValueError as error:
            invalid.append(Invalid(number, str(error)))
    notes = {}
    if task == "classify" and rewrite and not labels:
        # Their files do not repeat the list of classes: it is what occurs among the references.
        labels = sorted({line["reference"] for _, line in found if isinstance(line.get("reference"), str)})
        notes["labels"] = f"the {len(labels)} that occur among the references"
    seen: dict[str, int] = {}
    records = []
    for number, line in found:
        try:
            record = check(task, line, labels=labels, image_size=image_size)
            before = seen.setdefault(str(record["id"]), number)
            if before != number:
                raise ValueError(f"its id {quoted(record['id'])} is that of line {before}")
            records.append(record)
        except ValueError as error:
            invalid.append(Invalid(number, str(error)))
    lines = Lines(records, sorted(invalid, key=lambda bad: bad.line), notes)
    _refuse(path, lines, skip_invalid)
    return lines


def read_references(path: Path) -> dict[str, dict[str, Any]]:
    """What is known of every id: the objects of a file, by their ``id`` or ``question_id``."""
    found: dict[str, dict[str, Any]] = {}
    for number, entry in entries(path):
        if isinstance(entry, Invalid):
            raise UserError(f"{path}: line {number}: {entry.reason}; mend it")
        name = identity(entry)
        if name is None:
            raise UserError(f'{path}: line {number}: it has no "id"; say whose reference it is')
        if name in found:
            raise UserError(f"{path}: line {number}: its id {quoted(name)} is there already; keep one")
        found[name] = entry
    return found


def identity(line: Mapping[str, Any]) -> str | None:
    """A line's ``id`` (or another project's ``question_id``) as text, or None."""
    for key in ("id", "question_id"):
        if isinstance(line.get(key), str | int) and not isinstance(line[key], bool):
            return str(line[key])
    return None


def _completed(line: dict[str, Any], references: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    if references is None:
        return line
    name = identity(line)
    if name is None or name not in references:
        raise ValueError("the file of references says nothing of its id")
    return {**references[name], **line}


def _refuse(path: Path, lines: Lines, skip_invalid: bool) -> None:
    total = len(lines.records) + len(lines.invalid)
    if total == 0:
        raise UserError(f"{path} is empty: there is nothing to score")
    if lines.invalid and not skip_invalid:
        raise UserError(
            f"{path}: {len(lines.invalid):,} of {total:,} lines cannot be used: {lines.complaint()}; "
            "mend them, or leave them out with --skip-invalid"
        )
    if not lines.records:
        raise UserError(f"{path}: none of {total:,} lines can be used: {lines.complaint()}")


def entries(path: Path) -> Iterator[Entry]:
    """The objects of a file with their numbers, from 1; for what is none, the reason.

    Raises UserError where the file cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            start = file.peek(64)
            if start.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise UserError(f"{path} is UTF-16: save it as UTF-8")
            if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
                content = file.read(LARGEST_ARRAY + 1)
                array = _array(content, path)
                yield from array if array is not None else _lines(iter(content.split(b"\n")))
            else:
                yield from _lines(_raw_lines(file))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _raw_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines by LF alone (U+2028 may stand inside a text); of one that is too long only its beginning."""
    while line := file.readline(LONGEST + 1):
        yield line
        while len(line) > LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST + 1)


def _lines(raw: Iterator[bytes]) -> Iterator[Entry]:
    for number, line in enumerate(raw, start=1):
        line = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if not line:
            continue
        if len(line) > LONGEST:
            yield number, Invalid(number, f"it is longer than {LONGEST:,} bytes")
            continue
        try:
            yield number, _object(_decoded(line))
        except ValueError as error:
            yield number, Invalid(number, str(error))


def _array(content: bytes, path: Path) -> list[Entry] | None:
    """The entries of a file that is one array; None where it is not, after all."""
    if len(content) > LARGEST_ARRAY:
        raise UserError(
            f"{path} is a JSON array of more than {LARGEST_ARRAY:,} bytes: write one object a line"
        )
    found: list[Entry] = []
    try:
        values = _decoded(content.removeprefix(b"\xef\xbb\xbf"))
    except _ExtraDataError:
        return None
    except ValueError as error:
        raise UserError(f"{path} is no sound JSON array: {error}; write one object a line") from error
    for number, value in enumerate(values, start=1):
        try:
            found.append((number, _object(value)))
        except ValueError as error:
            found.append((number, Invalid(number, str(error))))
    return found


class _ExtraDataError(ValueError):
    """More follows behind a whole JSON value."""


def _decoded(text: bytes) -> Any:
    """The JSON value; ValueError with a plain reason for everything that is none."""
    try:
        return json.loads(
            text.decode("utf-8"), parse_int=_integer, parse_constant=_no_number, object_pairs_hook=_pairs
        )
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, " if error.lineno > 1 else ""
        reason = f"it is no JSON ({error.msg}, {place}column {error.colno})"
        raise (_ExtraDataError if error.msg == "Extra data" else ValueError)(reason) from error


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"one of its numbers has {len(digits):,} digits")
    return int(digits)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON knows")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it says {quoted(twice)} twice")
    return found


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"it is {kind_of(value)}, not an object")
    return {key: _text(item) for key, item in value.items()}


def _text(value: Any) -> Any:
    """Halves of characters (escaped surrogates) cannot be written out again: they become U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value
