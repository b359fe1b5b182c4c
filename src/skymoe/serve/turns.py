"""Waiting in line: for the model, for a picture to be decoded, for memory. Who has hung up leaves the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from skymoe.serve.errors import ChatError

Lost = Callable[[], Exception | None]
"""Says whether work for a caller has become useless: None, or the exception that ends it."""
_LOOK = 0.1
"""Seconds between two looks at whether a waiting caller is still there."""


class Turns:
    """`places` callers at once, in the order of their coming."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._line: list[object] = []
        self._changed = Condition()

    @contextmanager
    def turn(self, lost: Lost) -> Iterator[None]:
        """Wait for a place and hold it. Raises what `lost` gives, also when the turn has just come."""
        me = object()
        with self._changed:
            self._line.append(me)
        try:
            while True:
                with self._changed:
                    mine = self._changed.wait_for(lambda: self._line.index(me) < self._places, _LOOK)
                if reason := lost():
                    raise reason
                if mine:
                    break
            yield
        finally:
            with self._changed:
                self._line.remove(me)
                self._changed.notify_all()


class Room:
    """Memory that all callers share: what would not fit is refused for now, not waited for."""

    def __init__(self, size: int) -> None:
        self._left, self._lock = size, Lock()

    def check(self, size: int) -> None:
        """Raises ChatError (503) where `size` bytes are not left. Takes none: what is announced need never come."""
        if size > self._left:
            raise ChatError("too much is being sent at once: send the request again later", 503)

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Gives what takes so many bytes more each time it is called (and raises as `check`), until the end."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            with self._lock:
                self.check(size)
                self._left -= size
                taken += size

        try:
            yield take
        finally:
            with self._lock:
                self._left += taken
