"""From the first request to Ctrl+C: a server that ends in order, whatever its threads are doing."""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread
from typing import Any, NoReturn

from skymoe.serve.server import Server

GRACE = 5.0
"""Seconds that a running answer has when the server is asked to stop."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_stopped(server: Server) -> NoReturn:
    """Say where, serve until SIGINT or SIGTERM, let the running answer end, and end the process with exit code 0.

    Call it from the main thread. A second signal, while an answer is waited for, ends the process as signals do.
    """

    def stop(*_: Any) -> None:
        # Not here: it waits for the loop that this handler interrupts.
        Thread(target=server.shutdown, daemon=True).start()

    for number in _SIGNALS:
        signal.signal(number, stop)
    print(f"{server.name} answers at {server.address} (Ctrl+C stops)", flush=True)
    server.serve_forever(poll_interval=0.1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    print("Stopped." if server.stop(GRACE) else "Stopped; an answer was cut off.", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning. The interpreter would be taken down under threads that PyTorch has been in: also one that is
    # through with its answer aborts the process when it asks for the interpreter's lock then, on its own way out.
    os._exit(0)
