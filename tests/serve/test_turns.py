"""Who is next: nobody keeps others out by asking often."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from skymoe.serve.errors import ChatError
from skymoe.serve.turns import Turns


def served(turns: Turns, callers: str) -> str:
    """The callers in the order of their turns, after they have come in this one while the places were taken."""
    order: list[str] = []
    go = threading.Event()

    def first() -> None:
        with turns.turn(lambda: None, callers[0]):
            order.append(callers[0])
            go.wait(10)

    def wait(caller: str) -> None:
        with turns.turn(lambda: None, caller):
            order.append(caller)

    with ThreadPoolExecutor(len(callers)) as pool:
        done = [pool.submit(first)]
        for count, caller in enumerate(callers[1:]):
            while len(turns._line) < count or not order:
                time.sleep(0.001)
            done.append(pool.submit(wait, caller))
        while len(turns._line) < len(callers) - 1:
            time.sleep(0.001)
        go.set()
        for one in done:
            one.result(10)
    return "".join(order)


@pytest.mark.parametrize(
    ("came", "order"),
    [
        ("aaaaaab", "aabaaaa"),
        ("aaabbbc", "aabcabb"),
        ("aaaa", "aaaa"),
        ("abcd", "abcd"),
        ("abbbcb", "abcbbb"),
    ],
)
def test_callers_have_turns_in_turn(came: str, order: str) -> None:
    assert served(Turns(1), came) == order


def test_so_many_at_once_and_no_more() -> None:
    turns, inside, most = Turns(3), [], []

    def work() -> None:
        with turns.turn(lambda: None, "a"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    with ThreadPoolExecutor(12) as pool:
        for one in [pool.submit(work) for _ in range(30)]:
            one.result(10)
    assert max(most) == 3


def test_a_place_is_free_again_after_a_failure_and_after_who_left() -> None:
    turns, gone = Turns(1), ChatError("gone")
    for lost in (None, gone):
        with pytest.raises(ChatError), turns.turn(lambda lost=lost: lost, "a"):  # type: ignore[misc]
            raise ChatError("failed")
    with (
        turns.turn(lambda: None, "b"),
        pytest.raises(ChatError, match="gone"),
        turns.turn(lambda: gone, "a"),
    ):
        pass
    with turns.turn(lambda: None, "c"):
        pass
