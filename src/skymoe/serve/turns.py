"""Waiting in line: for the model, for a picture to be decoded, for memory. Who has hung up leaves the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock

from skymoe.serve.errors import ChatError

Lost = Callable[[], Exception | None]
"""Says whether work for a caller has become useless: None, or the exception that ends it."""
_LOOK = 0.1
"""Seconds between two looks at whether a waiting caller is still there."""


@dataclass(eq=False, slots=True)
class _Waiting:
    caller: str
    round: int


class Turns:
    """`places` at once, in rounds: one turn for each caller who waits, then the next. Within a round, and among the
    requests of one caller, in the order of their coming; so a hundred requests of one do not come before another's.
    """

    def __init__(self, places: int) -> None:
        self._left = places
        self._line: list[_Waiting] = []
        self._round = 0
        self._changed = Condition()

    @contextmanager
    def turn(self, lost: Lost, caller: str = "") -> Iterator[None]:
        """Wait for a place and hold it. Raises what `lost` gives, also when the turn has just come."""
        self._wait(lost, caller)
        try:
            if reason := lost():
                raise reason
            yield
        finally:
            with self._changed:
                self._left += 1
                self._changed.notify_all()

    def _wait(self, lost: Lost, caller: str) -> None:
        with self._changed:
            rounds = (one.round for one in self._line if one.caller == caller)
            me = _Waiting(caller, max(rounds, default=self._round) + 1)
            self._line.append(me)
        mine = False
        try:
            while not mine:
                with self._changed:
                    mine = self._changed.wait_for(lambda: self._left > 0 and self._next() is me, _LOOK)
                    if mine:
                        self._left -= 1
                        self._round = max(self._round, me.round)
                if not mine and (reason := lost()):
                    raise reason
        finally:
            with self._changed:
                self._line.remove(me)
                self._changed.notify_all()

    def _next(self) -> _Waiting:
        return min(self._line, key=lambda one: one.round)  # the first of those that have it


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
