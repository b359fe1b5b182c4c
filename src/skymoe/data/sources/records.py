"""One damaged entry of an annotation file must not cost the others: it is quarantined, and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from skymoe.data.sources.base import Source, malformed

T = TypeVar("T")


def each_record(
    records: object, path: Path, source: Source, split: str | None, make: Callable[[Any], T]
) -> Iterator[T]:
    """`make(record)` of every record that can be made something of.

    The others are quarantined, unless they say that they belong to another split than `split`. Raises UserError
    where `records` is no list or nothing can be made of any of them: then the file is of another form.
    """
    if not isinstance(records, list):
        raise malformed(path, f"a list of entries was expected, not {type(records).__name__}", source.name)
    reason = "it has no entries"
    made_any = False
    for number, record in enumerate(records):
        try:
            made = make(record)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            fields = record if isinstance(record, dict) else {}
            if split is None or fields.get("split") in (None, split):
                source.quarantine(str(fields.get("filename", f"entry {number}")), reason)
            continue
        made_any = True
        yield made
    if not made_any:
        raise malformed(path, f"no entry can be read ({reason})", source.name)


def top_level(content: object, key: str, path: Path, source: Source) -> object:
    """What a file's top-level object holds under `key`; UserError where it has none."""
    if not isinstance(content, dict) or key not in content:
        raise malformed(path, f'there is no "{key}"', source.name)
    return content[key]


def plain_name(filename: object) -> str:
    """The name of a picture file, which must not lead out of its folder; ValueError otherwise."""
    if not isinstance(filename, str) or not filename or filename != Path(filename).name:
        raise ValueError(f"{filename!r} is no name of a picture")
    return filename
