"""The JSON of a request, from strangers: one meaning, bounded work, every mistake one line."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from skymoe.serve.errors import ChatError, shown

MOST_VALUES = 100_000
"""Values in one body. A picture is one, and so is a text; 64 MB of `{},` would be a gigabyte of objects."""


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`.

    Raises:
        ChatError: it is no JSON in UTF-8, no object, too deep, has too many values, one name twice, or a number that
            is none.
    """
    # Base64 has none of these, so that this counts the structure, and quickly.
    values = sum(raw.count(mark) for mark in (b",", b"[", b"{", b":"))
    if values > MOST_VALUES:
        raise ChatError(f"the body has about {values:,} values, at most {MOST_VALUES:,} are read: send less")
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_pairs, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ChatError("the body is no JSON: it is not in UTF-8") from None
    except RecursionError:
        raise ChatError("the body's JSON is nested too deeply") from None
    except ValueError as error:
        digits = not isinstance(error, json.JSONDecodeError)
        raise ChatError(f"the body is no JSON{': it has a number of too many digits' * digits}") from None
    if not isinstance(body, dict):
        raise ChatError("the body is no JSON object")
    return body


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name given twice some readers take the first and some the last: a filter before us may read another one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        last = {name: place for place, (name, _) in enumerate(pairs)}
        twice = next(name for place, (name, _) in enumerate(pairs) if last[name] != place)
        raise ChatError(f"the body names {shown(twice)} twice: give it once")
    return found


def _no_number(name: str) -> NoReturn:
    raise ChatError(f"the body is no JSON: {name} is no number")
