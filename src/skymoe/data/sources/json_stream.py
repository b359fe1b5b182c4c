"""The objects of a long JSON array one by one: a file of a million questions must not fill the memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from skymoe.data.sources.reading import malformed
from skymoe.errors import UserError

CHUNK = 1 << 18
LONGEST = 1 << 24
"""An object of more characters than that is none of a data set."""
_BETWEEN = re.compile(r"[\s,]*")


def stream_array(path: Path, key: str, source: str) -> Iterator[dict[str, Any]]:
    """The objects of the array that the file's top-level object holds under `key`, in order.

    Raises UserError where the file can't be read, is truncated, or holds something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            yield from _objects(file, path, key, source)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error), source) from error


def _objects(file: IO[str], path: Path, key: str, source: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    text = file.read(CHUNK)
    start = re.search(rf'"{re.escape(key)}"\s*:\s*\[', text)
    if start is None:
        raise malformed(path, f'there is no list "{key}"', source)
    place = start.end()
    while True:
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # it also matches nothing
        if text[place : place + 1] == "]":
            return
        try:
            value, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            more = file.read(CHUNK)
            if not more or len(text) - place > LONGEST:
                raise _unreadable(path, error.msg, source) from error
            text, place = text[place:] + more, 0
            continue
        if not isinstance(value, dict):
            raise malformed(path, f'"{key}" holds {value!r}, which is no object', source)
        yield value
        place = end
        if len(text) - place < CHUNK // 4:
            text, place = text[place:] + file.read(CHUNK), 0


def _unreadable(path: Path, reason: str, source: str) -> UserError:
    return UserError(f"{source}: {path} can't be read ({reason}); get the data set again")
