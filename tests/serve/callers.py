"""Callers who write their requests by hand: what is sent is these bytes and no others."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from skymoe.serve.server import Server

NEXT = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""A request that would be answered if the bytes behind another one were ever taken for one."""


@dataclass(frozen=True)
class Said:
    """All that came until the server closed the connection."""

    text: bytes

    @property
    def replies(self) -> int:
        return self.text.count(b"HTTP/1.1 ") - self.text.count(b"HTTP/1.1 100 ")

    @property
    def status(self) -> int:
        final = self.text.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        return int(final.split(b" ", 2)[1])

    @property
    def body(self) -> Any:
        return json.loads(self.text.rpartition(b"\r\n\r\n")[2])


def connect(server: Server, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=20, source_address=(address, 0))


def say(server: Server, request: bytes, address: str = "127.0.0.1") -> Said:
    """Send the bytes from that address; fails where the server does not close the connection by itself."""
    with connect(server, address) as connection:
        connection.sendall(request)
        return hear(connection)


def hear(connection: socket.socket) -> Said:
    text = b""
    while piece := connection.recv(2**16):
        text += piece
    return Said(text)


def post(body: bytes, *fields: bytes) -> bytes:
    """A whole request for an answer."""
    head = (b"POST /v1/chat/completions HTTP/1.1", b"Content-Length: %d" % len(body), *fields, b"", b"")
    return b"\r\n".join(head) + body


def hang_up(connection: socket.socket, *, rudely: bool = False) -> None:
    """Close the connection; rudely: with a reset, as of a process that was killed."""
    if rudely:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
