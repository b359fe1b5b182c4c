"""Callers who do not wait for their answer, and a server that is asked to stop: what nobody reads is not computed."""

from __future__ import annotations

import json
import select
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from engine.tiny_model import build, end_often
from serve.callers import NEXT, connect, hang_up, hear, post, say
from serve.test_serve import uri, user
from skymoe.answer import Answer
from skymoe.engine.answering import SkyMoe
from skymoe.serve.server import Server
from skymoe.tasks import Query, get_task


class Held(SkyMoe):
    """The tiny model, which a test can hold fast in the middle of an answer."""

    def hold(self) -> None:
        self.asked, self.let_go, self.held, self.closed = (
            0,
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )

    def ask(self, *given: Any, **options: Any) -> Answer:  # type: ignore[override]
        self.asked += 1
        self.held.set()
        assert self.let_go.wait(30)
        return super().ask(*given, **options)

    def stream(self, *_: Any, **__: Any) -> Iterator[str]:
        try:
            for _ in range(10_000):
                yield "more "
                time.sleep(0.01)
        finally:
            self.closed.set()


@pytest.fixture(scope="module")
def model() -> Held:
    tiny, processor = build()
    end_often(tiny)
    return Held(tiny, processor)


@pytest.fixture(autouse=True)
def held(model: Held, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    model.hold()
    yield
    model.let_go.set()
    assert capfd.readouterr().err == ""


def request(picture: str = "", **fields: Any) -> bytes:
    body = {"messages": [user("what do you see", picture or uri())], **fields}
    return post(json.dumps(body).encode(), b"Connection: close")


@pytest.mark.parametrize("more", [b"", b"G"])
def test_nobody_waits_for_the_answers_of_those_who_left(server: Server, model: Held, more: bytes) -> None:
    """Nor for those who sent a part of their next request before."""
    if more and not hasattr(select, "POLLRDHUP"):
        pytest.skip("this system does not tell that a caller has hung up behind unread bytes")
    picture = uri(Image.effect_noise((400, 400), 99))  # larger than what is read at once
    with ThreadPoolExecutor() as pool:
        first = pool.submit(say, server, request())
        assert model.held.wait(10)
        for number in range(40):
            connection = connect(server)
            connection.sendall(request(picture) + more)
            hang_up(connection, rudely=number % 2 == 1)
        last = pool.submit(say, server, request())
        time.sleep(0.5)
        model.let_go.set()
        assert (first.result(20).status, last.result(20).status) == (200, 200)
    assert model.asked == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only there all of 127.0.0.0/8 is this machine")
def test_who_asks_often_does_not_keep_others_out(server: Server, model: Held) -> None:
    answered: list[str] = []

    def ask(address: str) -> None:
        assert say(server, request(), address).status == 200
        answered.append(address)

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, "127.0.0.1")]
        assert model.held.wait(10)
        asked += [pool.submit(ask, "127.0.0.1") for _ in range(15)]
        time.sleep(0.5)
        asked += [pool.submit(ask, "127.0.0.2")]
        time.sleep(0.3)
        model.let_go.set()
        for one in asked:
            one.result(20)
    assert answered.index("127.0.0.2") < 10


def test_pictures_are_opened_while_the_model_answers_somebody_else(server: Server, model: Held) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(say, server, request())
        assert model.held.wait(10)
        said = say(server, request("data:image/png;base64,AAAA"))
        assert (said.status, first.done()) == (400, False)
        model.let_go.set()
        assert first.result(20).status == 200


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """More pixels than any picture keeps."""
    return Image.new("L", (7000, 6000), 99)


def test_a_large_picture_is_read_reduced_and_its_boxes_are_in_its_own_pixels(
    server: Server, model: Held, large: Image.Image
) -> None:
    phrase = get_task("ground").prompt(Query("ground", "the largest ship"))
    body = json.dumps({"messages": [user(phrase, uri(large))]}).encode()
    answer = say(server, post(body, b"Connection: close")).body["choices"][0]["message"]["answer"]
    assert answer == model.ground(large.convert("RGB"), "the largest ship").to_dict()
    assert max(answer["boxes"][0].values()) > 1000


def test_a_picture_of_somebody_who_left_is_not_decoded_to_its_end(
    server: Server, model: Held, large: Image.Image
) -> None:
    for _ in range(8):  # more than are decoded at once
        connection = connect(server)
        connection.sendall(request(uri(large)))
        hang_up(connection)
    model.let_go.set()
    assert say(server, request()).status == 200
    assert model.asked == 1


@pytest.mark.parametrize("rudely", [False, True])
def test_a_stream_ends_when_nobody_reads_it(server: Server, model: Held, rudely: bool) -> None:
    connection = connect(server)
    connection.sendall(request(stream=True))
    assert b"more" in connection.recv(2**16) + connection.recv(2**16)
    hang_up(connection, rudely=rudely)
    assert model.closed.wait(5)


def test_a_server_that_stops_ends_the_answer_it_is_at_and_sends_the_others_away(model: Held) -> None:
    with Server(model, "tiny", "127.0.0.1", 0) as server, ThreadPoolExecutor() as pool:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        first = pool.submit(say, server, request())
        assert model.held.wait(10)
        waiting = pool.submit(say, server, request())
        time.sleep(0.3)
        server.shutdown()
        thread.join()
        ended = pool.submit(server.stop, 20)
        assert waiting.result(10).status == 503
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        assert not ended.done()
        model.let_go.set()
        assert first.result(20).status == 200
        assert ended.result(20)


def test_a_server_that_stops_says_when_an_answer_takes_too_long(model: Held) -> None:
    with Server(model, "tiny", "127.0.0.1", 0) as server, ThreadPoolExecutor() as pool:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        first = pool.submit(say, server, request())
        assert model.held.wait(10)
        server.shutdown()
        thread.join()
        assert not server.stop(0.1)
        model.let_go.set()
        assert first.result(20).status == 200


def test_small_packets_are_not_held_back(server: Server) -> None:
    """The second of two waits 40 ms for the acknowledgement of the first otherwise, on a connection that is kept."""
    with connect(server) as connection:
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            connection.sendall(NEXT.replace(b"Connection: close\r\n", b""))
            assert connection.recv(2**16).startswith(b"HTTP/1.1 200 ")
            taken.append(time.perf_counter() - began)
        connection.sendall(NEXT)
        assert hear(connection).status == 200
    assert sorted(taken)[10] < 0.03
