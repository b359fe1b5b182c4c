"""One caller's connection: reading from it has limits in bytes and in seconds, and who has hung up is noticed."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator

from skymoe.serve.errors import ChatError

LARGEST_HEAD = 32 * 2**10
"""Bytes of a request's head."""
IDLE_SECONDS = 10.0
"""Seconds that a caller may be silent before a request: there are only so many connections."""
PATIENCE, BODY_RATE = 20.0, 2**16
"""Seconds that a caller may be silent in the middle of a body; after so many it must have come at this rate (bytes a
second) on the whole, or a few that send a byte now and then would keep the rest from sending theirs."""
HEAD_SECONDS, BODY_SECONDS = 10.0, 300.0
"""A head and a body have to be there by then, however often something comes."""
SEND_SECONDS = 20.0
"""A caller who does not take what is sent for so long is given up."""
FAREWELL_SECONDS, FAREWELL_BYTES = 2.0, 64 * 2**20
"""How long and how much is still taken, and thrown away, after a refusal."""
_HUNG_UP: int = (
    getattr(select, "POLLRDHUP", 0) | getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
)


class GoneError(Exception):
    """The caller has hung up: nobody is there to be answered."""


class Wire:
    """Reads requests from a socket, and writes to it. Not for two threads at the same time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        with contextlib.suppress(OSError):
            # Else the second of two small packets waits for the caller's delayed acknowledgement of the first.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def waits(self) -> bool:
        """Wait for the first byte of a request; False: none came."""
        try:
            return bool(self._buffer) or self._more(time.monotonic() + IDLE_SECONDS)
        except ChatError:
            return False

    def lines(self) -> Iterator[bytes]:
        """The lines of a request's head, each with its end.

        Raises:
            ChatError: it is too long (431), too slow (408), or begins as no request does (400).
            GoneError: it ends here.
        """
        deadline, left = time.monotonic() + HEAD_SECONDS, LARGEST_HEAD
        if (
            self._buffer and not self._buffer[:1].isalpha()
        ):  # somebody speaks TLS, say, and waits for our half
            raise ChatError("this is no HTTP request: the server speaks HTTP/1.1, without encryption")
        while True:
            end = self._buffer.find(b"\n") + 1
            if (end or len(self._buffer)) > left:
                raise ChatError(f"the request's head has more than {LARGEST_HEAD:,} bytes: send less", 431)
            if end:
                line = self._take(end)
                left -= len(line)
                yield line
            elif not self._more(deadline):
                raise GoneError

    def body(self, length: int, take: Callable[[int], None]) -> bytes:
        """The next `length` bytes; `take` is told of them as they come, and may raise.

        Raises:
            ChatError: they come too slowly (408).
            GoneError: they do not come.
        """
        began, told = time.monotonic(), 0
        while True:
            here = min(len(self._buffer), length)
            take(here - told)
            told = here
            if here == length:
                break
            seconds = min(BODY_SECONDS, PATIENCE + here / BODY_RATE)
            if not self._more(began + seconds, length - here):
                raise GoneError
        return self._take(length)

    def send(self, data: bytes) -> None:
        """Raises GoneError where nobody takes it."""
        try:
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(data)
        except OSError:
            raise GoneError from None

    def gone(self) -> bool:
        """Whether the caller has hung up; one who only closed its own direction counts as gone, as elsewhere.

        Also where bytes are left unread before the end: a look at the next byte (all that some systems have) is blind
        to what comes behind it.
        """
        try:
            if hasattr(select, "poll"):  # not `select`, which knows no descriptors above 1,024
                poll = select.poll()
                poll.register(self._socket, _HUNG_UP)
                if poll.poll(0):
                    return True
            self._socket.settimeout(0)
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def part(self) -> None:
        """End the connection so that a caller still sending can read what it was told.

        A socket closed with bytes unread resets the connection, and the reply is lost with it; so they are taken and
        thrown away, for a while.
        """
        self._buffer.clear()
        deadline, left = time.monotonic() + FAREWELL_SECONDS, FAREWELL_BYTES
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while left > 0 and (seconds := deadline - time.monotonic()) > 0:
                self._socket.settimeout(seconds)
                taken = len(self._socket.recv(2**16))
                if not taken:
                    return
                left -= taken

    def _more(self, deadline: float, most: int = 2**16) -> bool:
        """Wait for further bytes, at most `most` of them; False: the caller has ended."""
        try:
            self._socket.settimeout(max(0.001, min(PATIENCE, deadline - time.monotonic())))
            data = self._socket.recv(min(most, 2**18))
        except TimeoutError:
            raise ChatError("the request comes too slowly: send it again", 408) from None
        except OSError:
            raise GoneError from None
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = view[:count].tobytes()
        del self._buffer[:count]
        return taken
