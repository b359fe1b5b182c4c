"""Folders that commands write into: one process at a time, and what stands in the way is said in one line."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from skymoe.errors import UserError

log = logging.getLogger(__name__)
LOCK = ".lock"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_held: set[str] = set()


class Unwritable(UserError):  # noqa: N818 - what has happened, not what is wrong with the input
    """A folder or file cannot be written."""


@contextmanager
def writing(place: Path, remedy: str = "choose another output") -> Iterator[None]:
    """What the system says against writing into `place` becomes one line. Only for blocks that do nothing else.

    Raises:
        Unwritable: a full disk, no permission, a file where a folder is to be, an impossible name.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno in _FULL:
            remedy = f"make room and run the command again, or {remedy}"
        raise Unwritable(f"{place} cannot be written ({reason}): {remedy}") from error


@contextmanager
def alone_in(folder: Path, remedy: str = "choose another output") -> Iterator[None]:
    """`folder`, made where it is missing, is this process's until the block ends, or the process, however that ends.

    Two runs in one folder would write one's results under the other's settings. The lock is on `.lock` in the folder,
    which stays: whoever deleted it might delete the one that a third process has just taken.

    Raises:
        Unwritable: another process has it, or it cannot be written.
    """
    with writing(folder, remedy):
        folder.mkdir(parents=True, exist_ok=True)
    name = os.path.realpath(folder)
    taken = Unwritable(f"{folder} is being written by another run: wait until it ends, or {remedy}")
    # The system's lock is between processes alone, and whoever opens and closes the file within one gives it back.
    if name in _held:
        raise taken
    with writing(folder, remedy):
        file = (folder / LOCK).open("ab")
    with file:
        if not _lock(file):
            raise taken
        _held.add(name)
        try:
            yield
        finally:
            _held.discard(name)


def _lock(file: IO[bytes]) -> bool:
    """Whether the file is ours now; given back when it is closed. Not flock, which forked workers would go on holding
    when this process is killed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        log.warning("%s cannot be locked (%s): see that no other run writes there", file.name, error.strerror)
    return True
