"""What all pages share: one look, light and dark, and a frame that runs and fetches nothing (base.html, page.css).

A page is a Jinja template that extends ``base.html`` and fills its blocks ``title``, ``style`` (its own rules, after
the shared ones) and ``body``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).resolve().parent


@cache
def environment(folder: Path) -> Environment:
    """Templates of ``folder`` and the shared ones; every text is escaped, its invisible characters shown."""
    # jinja2 comes with torch and with Transformers' chat templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )


def visible(value: Any) -> Any:
    """Text without anything that a browser would drop, obey or choke on: control characters become their escapes."""
    if not isinstance(value, str) or value.isprintable() or hasattr(value, "__html__"):
        return value
    return "".join(c if c.isprintable() or c in "\n\t\u00a0" else f"\\u{ord(c):04x}" for c in value)


__all__ = ["environment", "visible"]
