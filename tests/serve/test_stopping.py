"""`skymoe serve` as a process, stopped with requests in flight: it ends in order, without an abort."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from serve.test_serve import uri, user

SRC = Path(__file__).resolve().parents[2] / "src"


def ask_on_and_on(address: str, stop: threading.Event, answered: threading.Event) -> None:
    body = json.dumps({"messages": [user("what do you see", uri())]}).encode()
    while not stop.is_set():
        try:
            with urllib.request.urlopen(f"{address}/chat/completions", body, timeout=30) as reply:
                reply.read()
            answered.set()
        except OSError:  # refused, sent away or cut off: it is stopping
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_with_requests_in_flight(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "skymoe", "serve", "nano", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    stop, answered = threading.Event(), threading.Event()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+/v1", process.stdout.readline())
        assert found is not None
        callers = [threading.Thread(target=ask_on_and_on, args=(found[0], stop, answered)) for _ in range(6)]
        for caller in callers:
            caller.start()
        try:
            assert answered.wait(60)
            process.send_signal(number)
            printed, errors = process.communicate(timeout=60)
        finally:
            stop.set()
            process.kill()
            for caller in callers:
                caller.join()
    assert (process.returncode, printed) == (0, ""), errors
    assert errors in ("Stopped.\n", "Stopped; an answer was cut off.\n")
