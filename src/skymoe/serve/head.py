"""The head of an HTTP request, read strictly: what two readers could understand differently is refused.

A lenient reader and a proxy before it may disagree on where a request ends; then the bytes of one caller's body
become another's request. Nothing here knows a network: `read_head` takes lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skymoe.serve.errors import ChatError, shown

MOST_FIELDS = 100
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_START = re.compile(rf"({_TOKEN}) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n")
_FIELD = re.compile(rf"({_TOKEN}):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_LONGEST_LENGTH = 15
"""Digits of a Content-Length that are read as a number; one with more is too large anyway."""


@dataclass(frozen=True, slots=True)
class Head:
    """`path` comes without its query; `fields` have lower-case names, and each value that was sent, as Latin-1."""

    method: str
    path: str
    version: str
    fields: Mapping[str, tuple[str, ...]]

    @property
    def keeps_alive(self) -> bool:
        """Whether the caller means to send another request on this connection."""
        return self.version == "1.1" and "close" not in self._list("connection")

    @property
    def expects(self) -> bool:
        """Whether the caller waits for `100 Continue` before it sends the body."""
        return self.version == "1.1" and self._list("expect") == ["100-continue"]

    @property
    def length(self) -> int:
        """Bytes of the body; without Content-Length 0, as the protocol has it."""
        digits = self.fields.get("content-length", ("0",))[0].lstrip("0")
        return int(digits[:_LONGEST_LENGTH] or "0")

    @property
    def token(self) -> bytes | None:
        """The key in `Authorization: Bearer KEY`, as it was sent; None: there is none, or more than one."""
        given = self.fields.get("authorization", ())
        scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        return key.strip().encode("latin-1") if scheme.lower() == "bearer" else None

    def check_body(self) -> None:
        """Raises ChatError where a body is announced in a way that is not served, or none at all (411, 417, 501)."""
        coding = self._list("transfer-encoding")
        if coding and coding != ["chunked"]:
            raise ChatError(f"Transfer-Encoding {shown(', '.join(coding))} is not supported", 501)
        if coding or "content-length" not in self.fields:
            raise ChatError("the request has no Content-Length: send the body whole, not in chunks", 411)
        if "expect" in self.fields and self.version == "1.1" and not self.expects:
            raise ChatError("Expect: only 100-continue is known; leave it out", 417)

    def check_no_body(self) -> None:
        """Raises ChatError (400) where a body is announced."""
        if self.length or "transfer-encoding" in self.fields:
            raise ChatError(f"{shown(self.method)} takes no body: leave it out")

    def _list(self, name: str) -> list[str]:
        return [one.strip().lower() for value in self.fields.get(name, ()) for one in value.split(",")]


def read_head(lines: Iterator[bytes]) -> Head:
    """The head from its lines, each with its end; no line behind the empty one is taken.

    Raises:
        ChatError: it is not well formed (400), has too many fields (431), or another version of HTTP (505).
    """
    first = next(lines, b"").decode("latin-1")
    start = _START.fullmatch(first)
    if start is None:
        raise ChatError(f"{shown(first)} is no request line of HTTP/1.1: method, path and version are needed")
    method, target, version = start.groups()
    if version not in ("1.0", "1.1"):
        raise ChatError(f"HTTP/{version} is not spoken here: use HTTP/1.1", 505)
    fields: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines):
        if line == b"\r\n":
            head = Head(method, target.partition("?")[0].rstrip("/"), version, fields)
            _check_framing(head)
            return head
        if number >= MOST_FIELDS:
            raise ChatError(f"the request has more than {MOST_FIELDS} header fields: send fewer", 431)
        field = _FIELD.fullmatch(line.decode("latin-1"))
        if field is None:
            raise ChatError(f"{shown(line.decode('latin-1'))} is no header field: write Name: value")
        name = field[1].lower()
        fields[name] = (*fields.get(name, ()), field[2].strip(" \t"))
    raise ChatError("the request ends within its head")


def _check_framing(head: Head) -> None:
    """Where the request ends must be said once, and in digits that everybody reads alike."""
    lengths = head.fields.get("content-length", ())
    if len(lengths) > 1:
        raise ChatError(f"the request has {len(lengths)} Content-Lengths: send one")
    if lengths and "transfer-encoding" in head.fields:
        raise ChatError("the request has a Content-Length and a Transfer-Encoding: send the first alone")
    if lengths and not re.fullmatch(r"[0-9]+", lengths[0]):
        raise ChatError(f"Content-Length {shown(lengths[0])} is no number of bytes: send digits alone")
