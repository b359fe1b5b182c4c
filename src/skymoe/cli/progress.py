"""How far long work is: a bar for each pass, with the time left where the total is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[[int], None]
Watch = Callable[[str, int | None], Advance]
"""Told the name of a pass and its size, if known; gives what is to be told how much more is done."""


@contextmanager
def progress(console: Console | None = None, ended: str = "") -> Iterator[Watch]:
    """Bars on the terminal (standard error by default).

    Without a terminal nothing is drawn; with `ended`, what is counted ("answers"), every pass then leaves one line when
    it is complete.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    where = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=where, disable=not where.is_terminal) as bars:

        def watch(name: str, total: int | None) -> Advance:
            task = bars.add_task(name, total=total)
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                done += more
                bars.advance(task, more)
                if ended and done == total and not where.is_terminal:
                    where.print(f"{name}: {total:,} {ended}", markup=False, highlight=False)

            return advance

        yield watch


__all__ = ["Advance", "Watch", "progress"]
