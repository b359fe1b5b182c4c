"""The HTTP side of `skymoe serve`: the standard library's threading server, one model, one question at a time."""

from __future__ import annotations

import hmac
import json
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock
from typing import Any

from skymoe.answer import Answer
from skymoe.errors import UserError
from skymoe.serve.chat import Chat, ChatError, Reply, read_chat
from skymoe.tasks import Query

LARGEST_REQUEST = 64 * 2**20
"""Bytes of a request; a picture as base64 takes a third more than its file."""
PATIENCE = 60.0
"""Seconds that a client may be silent in the middle of a request."""


class Server(ThreadingHTTPServer):
    """Serves `model` (what `skymoe.load` gives) under `name`. With `key` every request must carry it.

    Port 0 takes any free one; `address` says which. Requests wait for each other at the model, whose caches
    are made for one user at a time.
    """

    daemon_threads = True

    def __init__(self, model: Any, name: str, host: str, port: int, key: str | None = None) -> None:
        self.model, self.name, self.key = model, name, key
        self.turn = Lock()
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise UserError(
                f"{host}:{port} cannot be served on ({error.strerror}): choose another --port"
            ) from error

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's full name, which waits for a DNS server that may not be there."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def address(self) -> str:
        """The base URL that clients are given."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def typed(self, chat: Chat) -> Query | None:
        """The query for a typed answer, if the model gives such to it; else the words are asked as they are."""
        query = chat.query
        return query if query is not None and query.task in self.model.tasks else None

    def answer(self, chat: Chat) -> Answer:
        with self.turn:
            query = self.typed(chat)
            if query is not None:
                return self.model.answer(chat.picture, query, explain=chat.explain)[0]
            return self.model.ask(chat.picture, chat.question, explain=chat.explain)

    def stream(self, chat: Chat) -> Iterator[str]:
        """The answer in pieces. Typed answers come as one: they are chosen whole."""
        if self.typed(chat) is not None:
            yield self.answer(chat).text
            return
        with self.turn:
            yield from self.model.stream(chat.picture, chat.question)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "skymoe"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """No line for each request: pictures may be private, and a log of them nobody asked for is a leak."""

    def _guarded(self, work: Any) -> None:
        """Every mistake becomes one JSON error; only ours are told on the server's side."""
        try:
            work()
        except ChatError as error:
            self._send(error.status, error.body())
        except UserError as error:
            self._send(400, ChatError(str(error)).body())
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:
            traceback.print_exc()
            self._send(500, ChatError("the server failed on this request; its log says why", 500).body())

    def _get(self) -> None:
        path = self._path()
        if path == "/health":
            self._send(200, {"status": "ok"})
            return
        self._admit()
        if path == "/v1/models":
            model = {"id": self.server.name, "object": "model", "created": 0, "owned_by": "skymoe"}
            self._send(200, {"object": "list", "data": [model]})
            return
        raise self._unknown()

    def _post(self) -> None:
        body = self._body()  # read in any case: what stays unread would be taken for the next request
        self._admit()
        if self._path() != "/v1/chat/completions":
            raise self._unknown()
        chat = read_chat(body, self.server.name)
        reply = Reply(self.server.name)
        if not chat.stream:
            self._send(200, reply.whole(self.server.answer(chat)))
            return
        pieces = self.server.stream(chat)
        first = next(pieces, "")  # a picture that is none is an error before anything is sent
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event(reply.piece(first, first=True))
        for piece in pieces:
            self._event(reply.piece(piece))
        self._event(reply.piece(None))
        self.wfile.write(b"data: [DONE]\n\n")

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _unknown(self) -> ChatError:
        return ChatError(
            f"{self.command} {self._path() or '/'}: there are GET /v1/models and POST /v1/chat/completions",
            404,
        )

    def _admit(self) -> None:
        key = self.server.key
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key is not None and not hmac.compare_digest(given.encode(), key.encode()):
            raise ChatError("the key is missing or wrong", 401, code="invalid_api_key")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST:
            self.close_connection = True  # what is not read cannot be skipped
            if not length.isdecimal():
                raise ChatError("the request has no Content-Length", 411)
            raise ChatError(
                f"the request has {int(length):,} bytes, at most {LARGEST_REQUEST:,} are read: send a smaller picture",
                413,
            )
        return self.rfile.read(int(length))

    def _event(self, piece: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())
        self.wfile.flush()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(data)
