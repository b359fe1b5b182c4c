"""The child process that decodes pictures: started by `keeper.py`, speaks `wire.py` on its standard streams.

Whatever a picture makes a decoder do, it does it here, where there is little to be done: every driver of GDAL
but two is gone, the user's settings for it were not passed on, and where the system can (not Windows), the process
can no longer open anything, neither a file nor a connection, nor make a file longer, nor (Linux) have more
memory than the job allows, nor run much longer than it may, even if its keeper is gone.
"""

from __future__ import annotations

import io
import math
import os
import signal
import sys
import threading
import time
from typing import Any, BinaryIO, NoReturn

from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging import wire
from skymoe.imaging.limits import MAX_MEMORY
from skymoe.imaging.plain import damaged

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

WATCH_SECONDS = 1.0
"""How often it is looked whether the keeper still lives."""


def main() -> None:
    """Set up, lock up, and serve until the keeper is gone."""
    key = bytes.fromhex(os.environ.pop(wire.KEY))
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    asked, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no message
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the keeper, which then ends us
    try:
        from skymoe.imaging import decoders

        left = decoders.confine()
        if left:
            told.write(wire.HEAD.pack(wire.READY, len(text := ",".join(left).encode()), 0) + text)
            return
        decoders.warm_up()
        memory = _lock()
    except Exception as error:
        _refuse(told, f"pictures cannot be decoded here ({type(error).__name__}: {error})")
        return
    told.write(wire.HEAD.pack(wire.READY, 0, 0))
    while head := asked.read(len(key) + wire.LENGTH.size):
        if not head.startswith(key):
            os._exit(1)  # no job, whatever it is
        (length,) = wire.LENGTH.unpack(head[len(key) :])
        job = wire.unpack(wire.exactly(asked.read, length))
        memory.allow(job.memory)
        _alarm(job.seconds)
        try:
            picture = decoders.decoded(job, io.BufferedReader(Given(asked, told, job.size), 1 << 16))
        except UserError as error:
            _refuse(told, str(error))
        except MemoryError as error:  # nobody knows what a decoder has left undone
            _end(error)
        except Exception as error:  # damaged files make decoders raise nearly anything
            _refuse(told, damaged(job.name, error))
        else:
            _send(told, picture)
            del picture
        _alarm(0)


def _watch(keeper: int) -> None:
    """End this process when its keeper is gone, killed perhaps while a picture is decoded.

    Linux could send a signal then, but does so already when the thread that started us ends.
    """
    while os.getppid() == keeper:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


class Given(io.RawIOBase):
    """The picture's file, of which the keeper sends what is read."""

    def __init__(self, asked: io.BufferedIOBase, told: BinaryIO, size: int) -> None:
        self._asked, self._told, self._size, self._place = asked, told, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        if self._place < 0:
            raise OSError("a place before the file's first byte")
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), wire.PIECE, max(0, self._size - self._place))
        if size == 0:
            return 0
        try:
            _write(self._told, wire.HEAD.pack(wire.ASK, self._place, size))
            (length,) = wire.LENGTH.unpack(wire.exactly(self._asked.read, wire.LENGTH.size))
            if length > size:
                raise EOFError  # no keeper of ours sends more than it was asked for
            wire.fill(self._asked.readinto, memoryview(buffer).cast("B")[:length])
        except BaseException as error:  # the rest of the piece, a stranger's bytes, would be taken for a job
            _end(error)
        self._place += length
        return length


class _Memory:
    """The room that a job may take beyond what the idle process has."""

    def __init__(self) -> None:
        self._idle = 0
        try:
            with open("/proc/self/statm", "rb") as file:
                self._idle = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):  # no Linux: the system may know no such limit either
            pass

    def allow(self, size: int) -> None:
        if resource is not None and self._idle:
            limit, hard = self._idle + size, resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))

    def cap(self, size: int) -> None:
        """Allow `size`, and no job more than that."""
        self.allow(size)
        if resource is not None and self._idle:
            soft, _ = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (soft, soft))


def _lock() -> _Memory:
    memory = _Memory()
    if resource is not None:
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
            resource.setrlimit(kind, (0, 0))
    memory.cap(MAX_MEMORY)
    return memory


def _alarm(seconds: float) -> None:
    """End this process when a job takes much longer than its keeper allows: nobody may be left to do it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0 if not seconds else math.ceil(seconds) + 2)


def _send(told: BinaryIO, picture: Image.Image) -> None:
    try:
        width, height = picture.size
        _write(told, wire.HEAD.pack(wire.PICTURE, width, height) + wire.SIZE.pack(*picture.info["file_size"]))
        step = wire.rows_at_once(width)
        for top in range(0, height, step):
            _write(told, picture.crop((0, top, width, min(height, top + step))).tobytes())
    except BaseException as error:  # what is said next would be taken for the pixels that are missing
        _end(error)


def _end(error: BaseException) -> NoReturn:
    """End this process at once, wherever in a decoder it is: what is in its pipes can no longer be told apart."""
    os._exit(wire.OUT_OF_MEMORY if isinstance(error, MemoryError) else 1)


def _refuse(told: BinaryIO, line: str) -> None:
    text = line.encode(errors="backslashreplace")[: wire.LONGEST]
    _write(told, wire.HEAD.pack(wire.ERROR, len(text), 0) + text)


def _write(told: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[told.write(rest) :]


if __name__ == "__main__":
    if sys.platform != "win32":
        os.umask(0o077)
    main()
