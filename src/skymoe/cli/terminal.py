"""The console that tables are printed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 160


def output(highlight: bool = True) -> Console:
    """Standard output; a file or a pipe need not be cut to a terminal's width."""
    from rich.console import Console

    console = Console(highlight=highlight)
    if not console.is_terminal:
        console.width = WIDTH
    return console


__all__ = ["output"]
