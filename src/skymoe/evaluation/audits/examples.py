"""Pictures for the page: small, inside the file, a row of them for each example."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar

from PIL import Image

SIDE = 176
One = TypeVar("One")


class Shot(TypedDict):
    """A picture and what was said about it; ``right`` is None where nothing can be right or wrong."""

    picture: str
    title: str
    text: str
    right: bool | None


class Strip(TypedDict):
    """Pictures of one item, side by side."""

    title: str
    shots: list[Shot]


def thumbnail(picture: Image.Image, side: int = SIDE) -> str:
    """The picture as a JPEG in a `data:` address, its longer side so many pixels."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Enlarged pixels stay pixels; reduced ones are averaged.
    way = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    memory = io.BytesIO()
    picture.convert("RGB").resize(size, way).save(memory, "JPEG", quality=84)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


def spread(all_of: Sequence[One], most: int, key: Callable[[One], Any]) -> list[One]:
    """The first, the last and evenly spaced ones between, in the order of ``key``: not only the nice ones."""
    ordered = sorted(all_of, key=key)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(n * (len(ordered) - 1) / (most - 1))] for n in range(most)]
