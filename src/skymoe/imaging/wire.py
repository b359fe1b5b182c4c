"""What a picture's worker and its keeper say to each other: bytes with their length before them, and no pickle.

The keeper sends a job (JSON). The worker asks for pieces of the file (`ASK`), and ends with `PICTURE`, followed by
the rows, or with `ERROR`, followed by a line of text. `READY` comes once, at the start. A worker that cannot
finish what it reads or says ends: half a message must never be taken for the beginning of the next.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from skymoe.imaging.limits import Limits

HEAD = struct.Struct("<cQQ")
"""Of the worker: what comes (one of the letters below), and two numbers."""
SIZE = struct.Struct("<QQ")
LENGTH = struct.Struct("<Q")
READY, ASK, PICTURE, ERROR = b"r", b"a", b"p", b"e"
PIECE = 1 << 22
"""The most bytes of a file that are sent at once; rows of a picture come in pieces of about this size."""
LONGEST = 1 << 16
"""Bytes of an error or a job."""
KEY = "SKYMOE_WORKER_KEY"
"""Variable of the worker's environment: 16 random bytes in hex, which stand before every job. No file can know them."""
OUT_OF_MEMORY = 77
"""Exit code of a worker that had no memory left: it says nothing more, and is used for no other picture."""


@dataclass(frozen=True)
class Job:
    """One picture to decode. `kind`: `any`, or what its first bytes showed: `TIFF`, `PNG`."""

    kind: str
    name: str
    size: int
    seconds: float
    memory: int
    limits: Limits = field(default_factory=Limits)

    def pack(self) -> bytes:
        """Length and JSON. Of a name that no system allows the end is kept, it is only for messages."""
        fields: dict[str, Any] = {**asdict(self), "name": self.name[-4096:]}
        text = json.dumps(fields).encode()
        assert len(text) <= LONGEST
        return LENGTH.pack(len(text)) + text


def unpack(text: bytes) -> Job:
    """The job of `pack`, without its length."""
    fields = json.loads(text)
    return Job(**{**fields, "limits": Limits(**fields["limits"])})


def rows_at_once(width: int) -> int:
    """How many rows of RGB are sent as one piece."""
    return max(1, PIECE // (3 * width))


def exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """`size` bytes, or EOFError: the other side is gone."""
    data = read(size)
    if len(data) != size:
        raise EOFError
    return data


def fill(readinto: Callable[[memoryview], int | None], buffer: memoryview) -> None:
    """Fill the buffer, without a copy that needs memory; EOFError: the other side is gone."""
    while buffer:
        count = readinto(buffer)
        if not count:
            raise EOFError
        buffer = buffer[count:]
