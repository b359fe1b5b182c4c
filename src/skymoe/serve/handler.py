"""One caller's requests: routes, admission, and replies. Nothing is read that has not been admitted."""

from __future__ import annotations

import hmac
import json
import os
import socketserver
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from skymoe.errors import UserError
from skymoe.serve.chat import Chat, Reply, read_chat
from skymoe.serve.errors import ChatError, told
from skymoe.serve.head import Head, read_head
from skymoe.serve.site import check_site
from skymoe.serve.wire import GoneError, Wire

if TYPE_CHECKING:
    from skymoe.serve.server import Server

LARGEST_REQUEST = 64 * 2**20
"""Bytes of a request; a picture as base64 takes a third more than its file."""
_CHAT, _MODELS, _HEALTH = "/v1/chat/completions", "/v1/models", "/health"
_METHODS = {_CHAT: "POST", _MODELS: "GET", _HEALTH: "GET"}


class Handler(socketserver.BaseRequestHandler):
    """Serves a connection. It stays open only after a request that was read to its end, so that what one request
    leaves unread is never taken for the next. No request is logged: pictures may be private."""

    server: Server
    head: Head | None
    keep: bool
    """Whether the connection may be used again."""
    begun: bool
    """Whether a streamed reply has begun: no second one can follow in it."""

    def setup(self) -> None:
        self.wire, self.caller = Wire(self.request), str(self.client_address[0])

    def handle(self) -> None:
        try:
            while self.wire.waits():
                self.head, self.keep, self.begun = None, False, False
                self._one()
                if not self.keep or self.server.stopping:
                    break
            self.wire.part()
        except GoneError:
            pass

    def _one(self) -> None:
        """Every mistake becomes one JSON error; only ours are told on the server's side."""
        try:
            self._route()
        except GoneError:
            raise
        except ChatError as error:
            self._refuse(error)
        except UserError as error:
            self._refuse(told(error))
        except Exception:
            traceback.print_exc()
            self._refuse(ChatError("the server failed on this request; its log says why", 500))

    def _route(self) -> None:
        self.head = head = read_head(self.wire.lines())
        if head.path != _HEALTH:
            self._admit(head)
        method = _METHODS.get(head.path)
        if method is None:
            raise ChatError(
                f"{head.method} {head.path or '/'}: there are GET {_MODELS} and POST {_CHAT}", 404
            )
        if head.method != method:
            raise ChatError(f"{head.method} {head.path}: only {method} is known there", 405)
        if method == "POST":
            self._chat(head)
            return
        head.check_no_body()
        self.keep = head.keeps_alive
        model = {"id": self.server.name, "object": "model", "created": 0, "owned_by": "skymoe"}
        self._send(200, {"status": "ok"} if head.path == _HEALTH else {"object": "list", "data": [model]})

    def _admit(self, head: Head) -> None:
        key = self.server.key
        if key is None:
            check_site(head, str(self.server.server_address[0]), self.server.host)
        elif not hmac.compare_digest(head.token or b"", os.fsencode(key)):
            raise ChatError("the key is missing or wrong", 401, code="invalid_api_key")

    def _chat(self, head: Head) -> None:
        head.check_body()
        if head.length > LARGEST_REQUEST:
            raise ChatError(
                f"the request has more than {LARGEST_REQUEST:,} bytes: send a smaller picture", 413
            )
        self.server.room.check(head.length)
        with self.server.room.share() as take:
            if head.expects:
                self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self.wire.body(head.length, take)
            self.keep = head.keeps_alive
            chat = read_chat(body, self.server.name)
            del body  # the picture alone is needed from here on
            with self.server.busy():
                self._answer(chat)

    def _answer(self, chat: Chat) -> None:
        reply = Reply(self.server.name)
        if not chat.stream:
            self._send(200, reply.whole(self.server.answer(chat, self._lost, self.caller)))
            return
        with closing(self.server.stream(chat, self._lost, self.caller)) as pieces:
            first = next(pieces, "")  # a picture that is none is an error before anything is sent
            self.keep, self.begun = False, True
            self.wire.send(
                self._start(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
                + _event(reply.piece(first, first=True))
            )
            self._pass_on(pieces, reply.piece)
        self.wire.send(_event(reply.piece(None)) + b"data: [DONE]\n\n")

    def _pass_on(self, pieces: Iterator[str], written: Callable[[str], dict[str, Any]]) -> None:
        for piece in pieces:
            if self.wire.gone():
                raise GoneError
            self.wire.send(_event(written(piece)))

    def _lost(self) -> Exception | None:
        """Whether an answer has become useless before it was begun."""
        if self.wire.gone():
            return GoneError()
        return ChatError("the server is stopping: ask again later", 503) if self.server.stopping else None

    def _refuse(self, error: ChatError) -> None:
        if self.begun:
            self.wire.send(_event(error.body()))
            return
        self._send(error.status, error.body())

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        if status == 401:
            fields["WWW-Authenticate"] = "Bearer"
        if status == 405 and self.head is not None:
            fields["Allow"] = _METHODS[self.head.path]
        if status == 503:
            fields["Retry-After"] = "1"
        bodiless = self.head is not None and self.head.method == "HEAD"
        self.wire.send(self._start(status, fields) + (b"" if bodiless else data))

    def _start(self, status: int, fields: dict[str, str]) -> bytes:
        if self.server.stopping:
            self.keep = False
        fields = {"Server": "skymoe", "Date": formatdate(usegmt=True)} | fields
        if not self.keep:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in fields.items())]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _event(piece: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(piece)}\n\n".encode()
