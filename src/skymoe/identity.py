"""What a checkpoint or a file is, told by its content: a copy in another folder, with another time, is the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

# Files of a checkpoint that decide its answers.
_DECISIVE = (".safetensors", ".json", ".jinja", ".model", ".txt")
_HASHED_WHOLE = 2**30
_BLOCK, _BLOCKS = 4096, 4096
_LARGEST_HEAD = 100_000_000  # as safetensors itself has it


def fingerprint(directory: Path) -> str:
    """Twelve hexadecimal digits that name a checkpoint by its content.

    Of files above 1 GiB the size and samples are read: the head of a safetensors file and 4 KiB from the beginning,
    the middle and the end of each of its tensors, so that no tensor can be trained on unnoticed.
    """
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.suffix not in _DECISIVE or not path.is_file():
            continue
        size = path.stat().st_size
        digest.update(path.name.encode())
        if size <= _HASHED_WHOLE:
            digest.update(path.read_bytes())
            continue
        digest.update(str(size).encode())
        with path.open("rb") as file:
            for place in _places(file, size):
                file.seek(place)
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:12]


def _places(file: BinaryIO, size: int) -> Iterator[int]:
    """Where blocks are read: those of a safetensors file's head and tensors, else spread evenly."""
    length = int.from_bytes(file.read(8), "little")
    try:
        if length > min(_LARGEST_HEAD, size - 8):
            raise ValueError("no safetensors file")
        head = json.loads(file.read(length))
        spans = [one["data_offsets"] for name, one in head.items() if name != "__metadata__"]
    except (ValueError, AttributeError, KeyError, TypeError):
        yield from range(0, size, max(_BLOCK, size // _BLOCKS))
        return
    yield from range(0, 8 + length, _BLOCK)
    for start, end in spans:
        for place in (start, (start + end) // 2, max(start, end - _BLOCK)):
            yield 8 + length + place


def content(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, remembered while its size and time stay; "missing" where it cannot be read."""
    name = os.fspath(path)
    try:
        state = os.stat(name)
        return _content(name, state.st_size, state.st_mtime_ns)
    except OSError:
        return "missing"


@lru_cache(maxsize=100_000)
def _content(name: str, size: int, time: int) -> str:
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
