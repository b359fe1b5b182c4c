"""A real server, for the `model` of the test's module."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from skymoe.engine import SkyMoe
from skymoe.serve.server import Server


@pytest.fixture(scope="module")
def server(model: SkyMoe) -> Iterator[Server]:
    with Server(model, "tiny", "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
