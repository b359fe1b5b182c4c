"""Checkpoints that are whole or not there: written beside their place, forced to the disk, renamed, and checked.

A folder called `checkpoint-N` appears by one rename after everything in it is on the disk, so neither a killed process
nor a full disk leaves one that could be taken for whole. Its `checkpoint.json`, written last, says which files of which
size belong to it; what the disk lost after all is found before it is loaded.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skymoe.errors import UserError

log = logging.getLogger(__name__)
LIST = "checkpoint.json"
_UNSAID = "a file could not be written"
_FULL = (*map(os.strerror, (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)), _UNSAID)
_NAME = re.compile(r"checkpoint-(\d+)")


@contextmanager
def whole(folder: Path, partial: Path | None = None, *, new: bool = False) -> Iterator[Path]:
    """A folder to write into, `partial`, that takes its place as `folder` when the block ends without an error.

    With `new` no model is to be there: one that is was written by somebody else, and stays.

    Raises:
        UserError: what stood in the way of writing, such as a full disk; nothing is left of it.
    """
    partial = partial or folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        for file in sorted(path for path in partial.rglob("*") if path.is_file()):
            _to_disk(file)
        _to_disk(partial)
        if new and finished(folder):
            raise UserError(
                f"{folder} was written by another run meanwhile, and is kept: delete it, or choose another output"
            )
        if folder.exists():  # a damaged one, which this one is in place of
            _delete(folder)
        partial.rename(folder)
        _to_disk(folder.parent)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, UserError) and (reason := _disk_trouble(error)) is not None:
            if reason in _FULL:
                there = next(place for place in folder.absolute().parents if place.is_dir())
                raise UserError(
                    f"{folder} could not be written ({reason}; {room(shutil.disk_usage(there).free)} free): make room "
                    "and run the command again, it continues from the last whole checkpoint"
                ) from error
            raise UserError(f"{folder} could not be written ({reason}): choose another output") from error
        raise


def last_whole(folder: Path, **must: Any) -> Path | None:
    """The newest whole checkpoint in `folder`; damaged ones are named and passed over.

    Raises:
        UserError: it was written by a run of which one of `must` (batch_size=…, seed=…) is another.
    """
    found = {
        int(match[1]): path for path in folder.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))
    }
    for step in sorted(found, reverse=True):
        path = found[step]
        if (damage := _damage(path)) is not None:
            log.warning("%s is damaged (%s) and passed over; delete it", path, damage)
            continue
        told = json.loads((path / LIST).read_text(encoding="utf-8"))["told"]
        for key, value in must.items():
            if told.get(key) != value:
                raise UserError(
                    f"{path} was written with {key}={told.get(key)}, the recipe says {value}: put it back, "
                    "or choose another output"
                )
        return path
    return None


def room(size: int) -> str:
    """Bytes in words: `1.5 GB`, `20.0 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def step_of(checkpoint: Path) -> int:
    """After how many optimizer steps it was written."""
    return int(checkpoint.name.rpartition("-")[2])


def write_list(folder: Path, **told: Any) -> None:
    """The list of what belongs to a checkpoint, and what is to be known of the run; written last."""
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / LIST).write_text(json.dumps({"told": told, "files": files}, indent=1) + "\n", encoding="utf-8")


def keep_newest(folder: Path, number: int) -> None:
    """Delete older checkpoints; each loses its name first, so that no half of one is ever called a checkpoint."""
    steps = sorted(
        (int(match[1]), path) for path in folder.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))
    )
    for _, path in steps[:-number]:
        _delete(path)


def sweep(folder: Path) -> None:
    """Take away what a killed run left half written or half deleted."""
    for path in (*folder.glob("deleted-*"), folder / "writing"):
        shutil.rmtree(path, ignore_errors=True)


def save_whole(folder: Path, write: Callable[[Path], Any]) -> None:
    """`write(partial)` with `whole`, in place of no other model."""
    with whole(folder, new=True) as partial:
        write(partial)


def finished(model: Path) -> bool:
    """Whether a model lies in this folder; a folder that somebody emptied is none."""
    return (model / "config.json").is_file()


def replace_file(path: Path, text: str) -> None:
    """Write it beside its place, force it to the disk and rename it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    _to_disk(part)
    os.replace(part, path)


def _delete(checkpoint: Path) -> None:
    gone = checkpoint.with_name(f"deleted-{checkpoint.name}")
    checkpoint.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _damage(checkpoint: Path) -> str | None:
    try:
        files = json.loads((checkpoint / LIST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return f"no readable {LIST}"
    for name, size in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes, not {size}"
    return None


def _disk_trouble(error: BaseException) -> str | None:
    """What the system said; libraries wrap it in errors of their own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno is not None:
            return os.strerror(seen.errno)
        seen = seen.__cause__ or seen.__context__
    text = " ".join(str(error).split())
    told = re.search(r"No space left on device|File too large|Disk quota exceeded", text)
    if told:
        return told[0]
    return _UNSAID if re.search(r"file write failed|PytorchStreamWriter|unexpected pos", text) else None


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
