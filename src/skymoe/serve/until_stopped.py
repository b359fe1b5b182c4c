"""From the first request to Ctrl+C: a server that ends in order, whatever its threads are doing."""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread
from typing import Any

from skymoe.serve.server import Server

GRACE = 5.0
"""Seconds that a running answer has when the server is asked to stop."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_stopped(server: Server) -> None:
    """Serve until SIGINT or SIGTERM, then let the running answer end. Call it from the main thread.

    A second signal, while that is waited for, ends the process as it always does. An answer that takes longer than
    `GRACE` ends it here, with exit code 0: returning would tear the interpreter down under PyTorch's threads, which
    aborts.
    """

    def stop(*_: Any) -> None:
        # Not here: it waits for the loop that this handler interrupts.
        Thread(target=server.shutdown, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        server.serve_forever(poll_interval=0.1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        if not server.stop(GRACE):
            print("Stopped; an answer was cut off.", file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    print("Stopped.", file=sys.stderr)
