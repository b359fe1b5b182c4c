"""A process that may open no further file: it waits for better times, and says that this is no caller's mistake."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from serve.callers import NEXT, hear, post
from serve.test_serve import model, uri, user
from skymoe import rasters
from skymoe.serve.server import Server

__all__ = ["model"]


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with suppress(OSError):
            while True:
                taken.append(os.dup(2))
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_caller_who_cannot_be_let_in_is_not_looked_at_all_the_time(server: Server) -> None:
    with socket.socket() as connection:
        connection.settimeout(10)
        with no_descriptor_left():
            connection.connect(server.server_address[:2])
            began = time.process_time()
            time.sleep(1)
            assert time.process_time() - began < 0.3
        connection.sendall(NEXT)
        assert hear(connection).status == 200


def test_a_picture_for_which_no_process_can_start_is_not_the_callers_mistake(server: Server) -> None:
    request = post(json.dumps({"messages": [user("what do you see", uri())]}).encode())
    with socket.create_connection(server.server_address[:2], timeout=20) as connection:
        connection.sendall(NEXT.replace(b"Connection: close\r\n", b""))
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200 ")
        rasters._remote.close()  # no decoder is left over from other tests
        with no_descriptor_left():
            connection.sendall(request)
            said = connection.recv(2**16)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in said
        assert sys.executable.encode() not in said
        connection.sendall(request)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200 ")
