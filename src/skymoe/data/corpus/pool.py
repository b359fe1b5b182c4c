"""Work for several processes with its results in order, and never more than a few of them in memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import TypeVar

from skymoe.errors import UserError

Given = TypeVar("Given")
Made = TypeVar("Made")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(work: Callable[[Given], Made], given: Iterable[Given], workers: int) -> Iterator[Made]:
    """`work` of each, in the order given, by so many processes (one or none: in this one).

    `work` must be a function of a module. Reading `given` and using the results go on here meanwhile; at most
    twice as many pieces as workers are under way.
    """
    if workers <= 1:
        yield from map(work, given)
        return
    # Not fork: the bars' and libraries' threads of this process would be copied in any state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)
    under_way: deque[Future[Made]] = deque()
    try:
        for piece in given:
            under_way.append(pool.submit(work, piece))
            if len(under_way) >= 2 * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed (memory?); run again with fewer --workers to go on"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _follow_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: it ends with it. Control-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()
