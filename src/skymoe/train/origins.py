"""What a training is made from, told by content: its base, and of each source how many items there are and which."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from skymoe.identity import fingerprint

from .mixture import Group
from .recipe import Data, Recipe
from .records import UNKNOWN

BLOCK = 4096


def base_origin(recipe: Recipe) -> dict[str, str]:
    """By the recipe's keys: fingerprints of the base's checkpoints, or the version of the package with the weights."""
    if recipe.model is not None:
        package = recipe.model.vision_weights
        try:
            return {"model.vision_weights": f"{package} {version(package)}"}
        except PackageNotFoundError:
            return {"model.vision_weights": UNKNOWN}
    assert recipe.base is not None
    from .basing import folder_of

    named = {"base.model": recipe.base.model, "base.decoder": recipe.base.decoder}
    return {key: checkpoint(folder_of(model)) for key, model in named.items() if model is not None}


def checkpoint(model: str) -> str:
    """The fingerprint of a folder or a hub id, which is fetched where needed."""
    if Path(model).is_dir():
        return fingerprint(Path(model))
    from skymoe.engine.checkpoint import find

    return fingerprint(find(model))


def data_origin(data: Data, groups: Sequence[Group]) -> dict[str, str]:
    """By the recipe's keys: the number of items and a digest of all that is known about them.

    Of a picture it is the name, the size in bytes and samples from its middle and end, not the whole content: a
    training set may have a million of them. The picture files of a corpus are not looked at.
    """
    keys = ["data.corpus"] if data.corpus is not None else [f"data.sources.{n}" for n in range(len(groups))]
    return {key: _items(group) for key, group in zip(keys, groups, strict=True)}


def _items(group: Group) -> str:
    digest = sha256()
    for item in group.items:
        record = getattr(item, "record", None)
        digest.update(record if isinstance(record, bytes) else repr(_known(item)).encode("utf-8", "replace"))
    return f"{len(group.items)} items, content {digest.hexdigest()[:12]}"


def _known(item: Any) -> Any:
    """An item as plain values in a fixed order; of functions that draw one (a tile of a scene) what they draw from."""
    if isinstance(item, partial):
        return [item.func.__qualname__, *map(_known, item.args), *sorted(item.keywords.items())]
    if dataclasses.is_dataclass(item):
        return list(_fields(item))
    return getattr(item, "__qualname__", type(item).__name__)


def _samples(path: str | os.PathLike[str]) -> tuple[int, bytes]:
    """The size of a file and a digest of its middle and its end: its head is often that of all pictures of its kind."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = sha256()
        for place in (size // 2, max(0, size - BLOCK)):
            file.seek(place)
            digest.update(file.read(BLOCK))
    return size, digest.digest()


def _fields(item: Any) -> Iterator[Any]:
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if field.name == "image":  # wherever the data lie
            try:
                yield os.path.basename(value), *_samples(value)
            except OSError:
                yield os.path.basename(value)
        else:
            yield sorted(value) if isinstance(value, frozenset) else value
