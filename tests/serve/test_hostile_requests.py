"""Requests that two readers could understand differently, or that nobody let in: one error, and the connection ends."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from serve.callers import NEXT, connect, hang_up, hear, post, say
from skymoe.serve import wire
from skymoe.serve.server import LARGEST_REQUEST, Server
from skymoe.serve.turns import Room

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n"
END = b"\r\n\r\n"


@pytest.fixture(scope="module")
def model() -> None:
    """None is needed: nothing here gets as far as one."""


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with Server(None, "tiny", "127.0.0.1", 0, key="sécret") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever strangers send, the log stays empty."""
    yield
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v1/models HTTP/1.1\r\nContent-Length: 57" + END, 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: 57" + END, 400),
        (b"GET /v1/models HTTP/1.1\r\nTransfer-Encoding: chunked" + END + b"0\r\n\r\n", 400),
        (CHAT + b"Content-Length: 2\r\nContent-Length: 2" + END + b"{}", 400),
        (CHAT + b"Content-Length: 2\r\nContent-Length: 0" + END + b"{}", 400),
        (CHAT + b"Content-Length: 2, 2" + END + b"{}", 400),
        (CHAT + b"Transfer-Encoding: chunked" + END + b"2\r\n{}\r\n0\r\n\r\n", 411),
        (CHAT + b"Transfer-Encoding: gzip" + END, 501),
        (CHAT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" + END, 501),
        (CHAT + b"Content-Length: 2\r\nTransfer-Encoding: chunked" + END + b"0\r\n\r\n", 400),
        (CHAT + b"Content-Length: " + b"9" * 5000 + END, 413),
        (CHAT + b"Content-Length: %d" % (LARGEST_REQUEST + 1) + END, 413),
        (CHAT + b"Content-Length: -2" + END + b"{}", 400),
        (CHAT + b"Content-Length: +2" + END + b"{}", 400),
        (CHAT + b"Content-Length: 0x2" + END + b"{}", 400),
        (CHAT + b"Content-Length: 1_0" + END + b"{}", 400),
        (CHAT + "Content-Length: ٢".encode() + END + b"{}", 400),
        (CHAT + b"Content-Length: \xb2" + END + b"{}", 400),
        (CHAT + b"Content-Length:" + END + b"{}", 400),
        (CHAT + b"Content-Length : 2" + END + b"{}", 400),
        (CHAT + b"X: y\r\n Content-Length: 2" + END + b"{}", 400),
        (CHAT + b"\tContent-Length: 2" + END + b"{}", 400),
        (CHAT + b"Content-Length: 2\rX: y" + END + b"{}", 400),
        (CHAT + b"X: \x00\r\nContent-Length: 2" + END + b"{}", 400),
        (CHAT + b"no field" + END, 400),
        (CHAT + b"Host: localhost" + END, 411),
        (b"POST /v1/chat/completions HTTP/1.1\nContent-Length: 2\n\n{}", 400),
        (CHAT + b"Content-Length: 2\r\nExpect: 200-ok" + END + b"{}", 417),
        (CHAT + b"X: y\r\n" * 200 + END, 431),
        (CHAT + b"X: " + b"y" * 40_000 + END, 431),
        (b"GET /" + b"y" * 40_000, 431),
        (b"GET /health\r\n", 400),
        (b"GET  /health HTTP/1.1" + END, 400),
        (b"GET /he\x80lth HTTP/1.1" + END, 400),
        (b"GET /health HTTP/2.0" + END, 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"OPTIONS * HTTP/1.1" + END, 404),
        (b"OPTIONS /v1/chat/completions HTTP/1.1" + END, 405),
        (b"PUT /v1/chat/completions HTTP/1.1\r\nContent-Length: 57" + END, 405),
        (b"POST /v1/models HTTP/1.1\r\nContent-Length: 57" + END, 405),
        (b"POST /v1/files HTTP/1.1\r\nContent-Length: 57" + END, 404),
        (b"CONNECT localhost:80 HTTP/1.1" + END, 404),
    ],
)  # fmt: skip
def test_one_error_and_what_follows_is_no_request(server: Server, request_: bytes, status: int) -> None:
    began = time.monotonic()
    said = say(server, request_ + NEXT)
    assert (said.replies, said.status) == (1, status)
    assert b"\r\nConnection: close\r\n" in said.text
    error = said.body["error"]
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    assert "\n" not in error["message"]
    assert len(error["message"]) < 250
    assert time.monotonic() - began < 8  # not only when it has waited for something


def test_head_is_told_what_is_known_there_and_gets_no_body(server: Server) -> None:
    said = say(server, b"HEAD /v1/models HTTP/1.1" + END)
    assert said.status == 405
    assert b"\r\nAllow: GET\r\n" in said.text
    assert said.text.endswith(END)


def test_a_request_in_old_http_is_answered_and_ends_the_connection(server: Server) -> None:
    said = say(server, b"GET /health HTTP/1.0\r\nConnection: keep-alive" + END + NEXT)
    assert (said.replies, said.status) == (1, 200)


def test_whole_requests_share_a_connection(server: Server) -> None:
    """A mistake within a request that was read to its end leaves no doubt where the next one begins."""
    said = say(server, post(b"{") + b"GET /health HTTP/1.1\r\nContent-Length: 0" + END + post(b"[]") + NEXT)
    assert said.replies == 4
    assert said.body["data"][0]["id"] == "tiny"


def test_a_length_may_have_blanks_around_it(server: Server) -> None:
    said = say(server, CHAT + b"Content-Length: \t 0002 \r\nConnection: close" + END + b"{}")
    assert (said.status, said.body["error"]["param"]) == (400, "messages")


def test_who_expects_to_be_told_to_go_on_is_told_once_let_in(server: Server, locked: Server) -> None:
    request = post(b"", b"Expect: 100-Continue", b"Connection: close").replace(b": 0", b": 2")
    with connect(server) as connection:
        connection.sendall(request)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert hear(connection).status == 400
    said = say(locked, request)
    assert said.text.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Authorization: Bearer \r\n",
        b"Authorization: Bearer wrong\r\n",
        b"Authorization: Bearer s\xe9cret\r\n",
        b"Authorization: Bearer \xff\xfe\r\n",
        b"Authorization: Basic s\xc3\xa9cret\r\n",
        b"Authorization: Bearer s\xc3\xa9cret\r\nAuthorization: Bearer s\xc3\xa9cret\r\n",
        b"Authorization: Bearer wrong\r\nAuthorization: Bearer s\xc3\xa9cret\r\n",
    ],
)
@pytest.mark.parametrize("path", [b"chat/completions", b"files"])
def test_the_body_of_a_stranger_is_not_waited_for(locked: Server, path: bytes, fields: bytes) -> None:
    request = b"POST /v1/%s HTTP/1.1\r\n%sContent-Length: 50000000\r\n\r\n{" % (path, fields)
    with connect(locked) as connection:
        connection.sendall(request)
        reply = connection.recv(2**16)
    assert reply.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in reply


def test_who_sends_on_after_a_refusal_can_read_it(locked: Server) -> None:
    """Not a reset connection, which would take the reply away."""
    said = say(locked, post(bytes(20_000_000)))
    assert (said.replies, said.status) == (1, 401)


def test_a_key_need_not_be_ascii(locked: Server) -> None:
    request = b"GET /v1/models HTTP/1.1\r\nAuthorization: bearer s\xc3\xa9cret\r\nConnection: close\r\n\r\n"
    assert say(locked, request).status == 200


def test_bodies_at_once_have_a_limit_together(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "room", Room(4_000_000))
    large = post(bytes(1_000_000))[:-100]
    held = [connect(server) for _ in range(4)]
    for one in held:
        one.sendall(large)
    said = None
    deadline = time.monotonic() + 10
    while (
        said is None or said.status == 400
    ) and time.monotonic() < deadline:  # the four may not be there yet
        said = say(server, post(b"{}" + b" " * 600, b"Connection: close"))
    assert said is not None
    assert said.status == 503
    assert b"\r\nRetry-After: " in said.text
    for one in held:
        hang_up(one)
    while said.status == 503 and time.monotonic() < deadline:
        said = say(server, post(b"{}" + b" " * 600, b"Connection: close"))
    assert said.status == 400


def test_a_body_that_finds_no_room_on_its_way_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "room", Room(1_500_000))
    large = post(bytes(1_000_000))
    with connect(server) as first, connect(server) as second:
        for one in (first, second):
            one.sendall(large[:500_000])
        for one in (first, second):
            with contextlib.suppress(OSError):
                one.sendall(large[500_000:-1])
        first.settimeout(1)
        try:
            refused = hear(first)
        except TimeoutError:
            refused = hear(second)
    assert refused.status == 503


def test_what_is_announced_and_never_comes_takes_no_room_from_others(server: Server) -> None:
    announced = post(b"").replace(b": 0", b": %d" % LARGEST_REQUEST)
    held = [connect(server) for _ in range(8)]
    for one in held:
        one.sendall(announced + b"{")
    time.sleep(0.3)
    assert say(server, post(b"{}", b"Connection: close")).status == 400
    for one in held:
        hang_up(one)


def test_a_body_that_comes_a_byte_now_and_then_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PATIENCE", 0.5)
    with connect(server) as connection:
        connection.sendall(post(b"").replace(b": 0", b": 1000000"))
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 3:
                connection.sendall(b"{")
                time.sleep(0.1)
        assert hear(connection).status == 408


def test_a_large_body_may_take_its_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PATIENCE", 0.5)
    body = b"{}" + b" " * 600_000
    with connect(server) as connection:
        connection.sendall(post(body, b"Connection: close")[: -len(body)])
        for start in range(0, len(body), 60_000):
            connection.sendall(body[start : start + 60_000])
            time.sleep(0.1)
        assert hear(connection).status == 400


def test_who_says_nothing_is_not_waited_for_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wire.IDLE_SECONDS <= 10
    monkeypatch.setattr(wire, "IDLE_SECONDS", 0.2)
    assert say(server, b"").text == b""


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 400),
        ((b"Host: localhost",), 400),
        ((b"Host: LOCALHOST:8000", b"Origin: http://localhost:8000"), 400),
        ((b"Host: 127.0.0.1:1", b"Content-Type: application/x-www-form-urlencoded"), 400),
        ((b"Host: [::1]:8000",), 400),
        ((b"Host: evil.example", b"Origin: http://evil.example", b"Content-Type: text/plain"), 403),
        ((b"Host: evil.example",), 403),
        ((b"Host: 127.0.0.1.evil.example",), 403),
        ((b"Host: localhost.evil.example:8000",), 403),
        ((b"Host: evil@localhost",), 403),
        ((b"Host: 192.0.2.1",), 403),
        ((b"Host: localhost", b"Host: evil.example"), 400),
        ((b"Host: localhost", b"Origin: http://evil.example", b"Content-Type: text/plain"), 403),
        ((b"Host: localhost:8000", b"Origin: http://localhost:3000"), 403),
        ((b"Host: localhost", b"Origin: null"), 403),
        ((b"Origin: null",), 403),
        ((b"Origin: http://",), 403),
    ],
)
def test_pages_of_other_sites_do_not_ask_a_server_on_this_machine(
    server: Server, fields: tuple[bytes, ...], status: int
) -> None:
    """400 is for the body here: it was let in."""
    said = say(server, post(b"{}", *fields, b"Connection: close"))
    assert said.status == status
    assert ("--key" in said.body["error"]["message"]) == (status == 403)


def test_whoever_has_the_key_may_come_from_anywhere(locked: Server) -> None:
    key = "Authorization: Bearer sécret".encode()
    foreign = (b"Host: models.example", b"Origin: https://pages.example", key, b"Connection: close")
    assert say(locked, post(b"{}", *foreign)).status == 400


def test_a_server_for_other_machines_is_called_by_any_name() -> None:
    with Server(None, "tiny", "0.0.0.0", 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        named = (b"Host: models.example:8000", b"Connection: close")
        assert say(server, post(b"{}", *named)).status == 400
        assert say(server, post(b"{}", b"Origin: http://evil.example", *named)).status == 403
        server.shutdown()


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize(
    "sent", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\n", post(b"", b"X: y")[:-2], NEXT]
)
def test_who_hangs_up_is_not_told_of(server: Server, sent: bytes, rudely: bool) -> None:
    for _ in range(5):
        connection = connect(server)
        connection.sendall(sent)
        hang_up(connection, rudely=rudely)
    assert say(server, NEXT).status == 200


def test_any_bytes_at_all(server: Server) -> None:
    for size in (1, 30, 1000, 50_000):
        said = say(server, b"G" + os.urandom(size) + END)
        assert (said.replies, said.status in (400, 431)) == (1, True)


@pytest.mark.parametrize("sent", [b"GET /health HT", CHAT + b"Content-Length: 9" + END + b"{"])
def test_a_request_that_never_ends_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """However often another byte comes."""
    monkeypatch.setattr("skymoe.serve.wire.HEAD_SECONDS", 0.5)
    monkeypatch.setattr("skymoe.serve.wire.BODY_SECONDS", 0.5)
    with connect(server) as connection:
        connection.sendall(sent)
        for _ in range(3):
            time.sleep(0.1)
            connection.sendall(b" ")
        said = hear(connection)
    assert (said.replies, said.status) == (1, 408)


def test_connections_at_once_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skymoe.serve.server.MOST_CALLERS", 3)
    with Server(None, "tiny", "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        inside = [connect(server) for _ in range(3)]
        with connect(server) as outside:
            assert hear(outside).text == b""
        for one in inside:
            hang_up(one)
        deadline = time.monotonic() + 10
        while not (text := say(server, NEXT).text) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert text.startswith(b"HTTP/1.1 200 ")
        server.shutdown()
