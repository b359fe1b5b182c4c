"""The HTTP side of `skymoe serve`: the standard library's threading server, one model, one question at a time."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Condition
from typing import Any

from skymoe.answer import Answer
from skymoe.engine.opened import Opened, opened_apart
from skymoe.errors import UserError
from skymoe.pictures import Cancelled
from skymoe.serve.chat import Chat
from skymoe.serve.errors import NOTHING_LEFT
from skymoe.serve.handler import LARGEST_REQUEST, Handler
from skymoe.serve.turns import Lost, Room, Turns
from skymoe.serve.wire import GoneError
from skymoe.tasks import Query

__all__ = ["LARGEST_REQUEST", "Server"]

MOST_CALLERS = 256
"""Connections at once; further ones are closed."""
LARGEST_TOGETHER = 4 * LARGEST_REQUEST
"""Bytes of all requests that are being read or answered."""
MOST_PICTURES = 4
"""Pictures that are being decoded, or wait decoded for the model: 160 MB each."""
PICTURE_SECONDS, PICTURE_BYTES = 8.0, 2**30
"""What decoding one picture may take: others wait meanwhile, and large ones take one to three seconds."""


class Server(ThreadingMixIn, TCPServer):
    """Serves `model` (what `skymoe.load` gives) under `name`. With `key` every request must carry it; without,
    the pages of other sites are refused (`site.check_site`).

    Port 0 takes any free one; `address` says which. Requests wait for each other at the model, whose caches
    are made for one user at a time; their pictures are decoded before, and who hangs up leaves the line.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, model: Any, name: str, host: str, port: int, key: str | None = None) -> None:
        self.model, self.name, self.host, self.key = model, name, host, key
        self.turns, self.pictures, self.room = Turns(1), Turns(MOST_PICTURES), Room(LARGEST_TOGETHER)
        self.stopping = False
        self._callers = BoundedSemaphore(MOST_CALLERS)
        self._busy, self._idle = 0, Condition()
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise UserError(
                f"{host}:{port} cannot be served on ({error.strerror}): choose another --port"
            ) from error

    @property
    def address(self) -> str:
        """The base URL that clients are given."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    # --- answers ---------------------------------------------------------------------------------------------------

    def typed(self, chat: Chat) -> Query | None:
        """The query for a typed answer, if the model gives such to it; else the words are asked as they are."""
        query = chat.query
        return query if query is not None and query.task in self.model.tasks else None

    def answer(self, chat: Chat, lost: Lost, caller: str = "") -> Answer:
        """`caller` is an address: those at different ones get turns in turn.

        Raises what `lost` gives before the answer is begun, and UserError for a picture that is none."""
        query = self.typed(chat)
        with self._turn(chat, lost, caller) as picture:
            if query is not None:
                return self.model.answer(picture, query, explain=chat.explain)[0]
            return self.model.ask(picture, chat.question, explain=chat.explain)

    def stream(self, chat: Chat, lost: Lost, caller: str = "") -> Generator[str, None, None]:
        """The answer in pieces. Typed answers come as one: they are chosen whole. Close it to stop earlier."""
        if self.typed(chat) is not None:
            yield self.answer(chat, lost, caller).text
            return
        with self._turn(chat, lost, caller) as picture:
            yield from self.model.stream(picture, chat.question)

    @contextmanager
    def _turn(self, chat: Chat, lost: Lost, caller: str) -> Iterator[Opened]:
        """The chat's picture, and the model: decoding one picture takes nothing from the answer to another."""
        with self.pictures.turn(lost, caller):
            try:
                picture = opened_apart(
                    chat.picture, seconds=PICTURE_SECONDS, memory=PICTURE_BYTES,
                    cancelled=lambda: lost() is not None,
                )  # fmt: skip
            except Cancelled:
                raise lost() or GoneError() from None
            with self.turns.turn(lost, caller):
                yield picture

    # --- coming and going ------------------------------------------------------------------------------------------

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While an answer is worked on: `stop` waits for it."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def stop(self, seconds: float) -> bool:
        """After `serve_forever`: nobody is let in, who waits is sent away, and what is being answered has `seconds`.

        Returns whether all answers came to their end.
        """
        self.stopping = True
        self.server_close()
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, seconds)

    def get_request(self) -> tuple[Any, Any]:
        """Where no descriptor is left, a caller at the door stays there, and would be looked at again at once."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in NOTHING_LEFT:
                time.sleep(0.1)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._callers.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._callers.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._callers.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hung up is no error of ours, wherever it is noticed."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()
