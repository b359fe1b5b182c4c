"""A real HTTP server on this machine that speaks the OpenAI chat protocol; its answers depend on what it is shown."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

Trouble = Callable[[int, dict[str, Any]], tuple[int, dict[str, str], bytes] | None]
"""Told the number of a request and its body; a status, headers and body instead of an answer, or None."""


@dataclass
class Server:
    """What the server was asked; ``url`` is its base."""

    url: str = ""
    models: list[str] = field(default_factory=lambda: ["fake-vl"])
    trouble: Trouble = lambda number, body: None
    reply: Callable[[str, Image.Image], Any] = lambda question, picture: answer_to(question, picture)
    key: str | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    stop: Callable[[], None] = lambda: None


def answer_to(question: str, picture: Image.Image) -> str:
    """A fixed function of pixels and words, in the form that the question wants."""
    number = sha256(picture.tobytes() + question.encode()).digest()[0]
    if question.startswith("Describe"):
        return f"there are {number % 4} planes\u2028on it ."
    if question.startswith("[refer]"):
        return f"It is at [{number % 20}, 5, {60 + number % 20}, 70]."
    if question.startswith("How many"):
        return ("2", "I see three of them.", "no idea", "two")[number % 4]
    return ("yes", "airport", "A beach.", "")[number % 4]


@contextmanager
def serving(**settings: Any) -> Iterator[Server]:
    state = Server(**settings)
    lock, busy = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send(200, {}, json.dumps({"data": [{"id": name} for name in state.models]}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(state.bodies)
                state.bodies.append(body)
                busy[0] += 1
                state.most_at_once = max(state.most_at_once, busy[0])
            try:
                reply = self._refused() or state.trouble(number, body) or self._answer(body)
            finally:
                # Before the reply is out: the asker may put its next question while this thread is still closing.
                with lock:
                    busy[0] -= 1
            with suppress(BrokenPipeError, ConnectionResetError):  # the asker was killed
                self._send(*reply)

        def _refused(self) -> tuple[int, dict[str, str], bytes] | None:
            if state.key is None or self.headers.get("Authorization") == f"Bearer {state.key}":
                return None
            return 401, {}, b'{"error": {"message": "wrong key"}}'

        def _answer(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            picture, words = body["messages"][0]["content"]
            data = base64.b64decode(picture["image_url"]["url"].partition("base64,")[2])
            text = state.reply(words["text"], Image.open(io.BytesIO(data)).convert("RGB"))
            message = {"role": "assistant", "content": text}
            reply = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            return 200, {}, json.dumps(reply).encode()

        def _send(self, code: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url, state.stop = f"http://127.0.0.1:{server.server_address[1]}/v1", server.shutdown
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
