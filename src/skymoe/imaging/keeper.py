"""Has pictures decoded in child processes, which are started when needed and kept for the next picture."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from threading import Condition
from typing import BinaryIO

from PIL import Image

from skymoe.imaging.child import POLL_SECONDS, Cancelled, Child
from skymoe.imaging.wire import Job


class Keeper:
    """At most `most` children at work; `decode` may be called from several threads.

    Children belong to one process (a forked one starts its own) and end with it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._renew()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            # The children are the parent's, and a lock may have been taken by a thread that is not here.
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._idle: list[Child] = []
        self._working = 0
        self._changed = Condition()

    def decode(self, file: BinaryIO, job: Job, cancelled: Callable[[], bool] | None = None) -> Image.Image:
        """The job's picture, whose file is `file`.

        Raises:
            UserError: it is no picture, or takes more time or memory than the job allows.
            Cancelled: `cancelled`, which is asked a few times a second (from another thread), said so.
        """
        child = self._take(cancelled)
        try:
            child = child or Child(job.name, cancelled)
            return child.decode(file, job, cancelled)
        finally:
            with self._changed:
                self._working -= 1
                if child is not None and child.sound:
                    self._idle.append(child)
                self._changed.notify()

    def _take(self, cancelled: Callable[[], bool] | None) -> Child | None:
        """Wait for a place; an idle child, or None: start one."""
        with self._changed:
            while self._working >= self._most:
                self._changed.wait(POLL_SECONDS)
                if cancelled is not None and cancelled():
                    raise Cancelled
            self._working += 1
            while self._idle:
                child = self._idle.pop()
                if child.sound:
                    return child
        return None

    def close(self) -> None:
        """End the idle children."""
        with self._changed:
            while self._idle:
                self._idle.pop().end()
