"""One child process that decodes pictures (`worker.py`), as seen from outside: nothing it says is believed blindly."""

from __future__ import annotations

import os
import secrets
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import BinaryIO

from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging import wire
from skymoe.imaging.gdal_drivers import SETTINGS, skipping

START_SECONDS = 60.0
POLL_SECONDS = 0.2
_PASSED_ON = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONHOME", "LANG", "LC_ALL", "LC_CTYPE",
)  # fmt: skip
"""Of the environment: GDAL, PROJ, curl and the SDKs of clouds take theirs from it, and none of it is for them."""


class Cancelled(Exception):  # noqa: N818 – nothing went wrong
    """Whoever wanted the picture is gone."""


class Child:
    """A worker that is ready. `name` is the picture's that it is started for.

    Raises UserError where it cannot start, and Cancelled.
    """

    def __init__(self, name: str, cancelled: Callable[[], bool] | None = None) -> None:
        if not sys.executable:  # an embedded Python
            raise UserError(
                f"{name}: cannot be decoded, Python does not know its own program; set sys.executable to one"
            )
        failed = f"{name}: cannot be decoded, the process for it does not start ({sys.executable})"
        left: list[str] = []
        for _ in range(2):  # a second time without those drivers that this GDAL has and we do not know
            try:
                self._start(left)
            except OSError as error:
                raise UserError(failed) from error
            with Watch(self, START_SECONDS, cancelled) as watch:
                try:
                    letter, length, _ = self._head()
                    text = wire.exactly(self._answers.read, min(length, wire.LONGEST)).decode(
                        errors="replace"
                    )
                except (EOFError, OSError) as error:
                    self.end()
                    raise watch.reason() or UserError(failed) from error
                except BaseException:
                    self.end()
                    raise
            if letter == wire.READY and not length:
                return
            self.end()
            if letter == wire.ERROR:
                raise UserError(f"{name}: {text}")
            left = text.split(",")
        raise UserError(
            f"{name}: cannot be decoded safely, GDAL keeps its driver {left[0]}; install rasterio's wheel"
        )

    def _start(self, skip_also: list[str]) -> None:
        self._key = secrets.token_bytes(16)
        self._process = subprocess.Popen(
            # -P: the current folder is no place to import from
            [sys.executable, "-P", "-m", "skymoe.imaging.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**_environment(skip_also), wire.KEY: self._key.hex()},
            cwd=os.path.abspath(os.sep), start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._told, self._answers = self._process.stdin, self._process.stdout

    @property
    def sound(self) -> bool:
        """Whether it still lives."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, from any thread; whoever reads from it sees the end."""
        self._process.kill()

    def end(self) -> None:
        """Kill it, and tidy up after it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._told, self._answers):
            with suppress(OSError):  # about what was not yet sent
                stream.close()

    def decode(self, file: BinaryIO, job: wire.Job, cancelled: Callable[[], bool] | None) -> Image.Image:
        """As `Keeper.decode`. After anything but a picture or its refusal, the child has ended."""
        with Watch(self, job.seconds, cancelled) as watch:
            try:
                self._told.write(self._key + job.pack())
                self._told.flush()
                return self._picture(file, job)
            except _RefusedError as error:
                raise UserError(str(error)) from None
            except (EOFError, OSError, struct.error) as error:
                self.end()
                code = self._process.returncode
                died = f"{job.name}: cannot be read as an image, it made its decoder crash (code {code})"
                if code == wire.OUT_OF_MEMORY:
                    died = f"{job.name}: needs more than {job.memory >> 20:,} MB to decode; make it smaller"
                raise watch.reason(job) or UserError(died) from error
            except BaseException:  # Ctrl+C among them
                self.end()
                raise

    def _picture(self, file: BinaryIO, job: wire.Job) -> Image.Image:
        while True:
            letter, first, second = self._head()
            if letter == wire.ASK:
                self._told.write(_piece(file, first, min(second, wire.PIECE), job.name))
                self._told.flush()
            elif letter == wire.ERROR:
                text = wire.exactly(self._answers.read, min(first, wire.LONGEST)).decode(errors="replace")
                raise _RefusedError(text.replace("\n", " "))
            elif letter == wire.PICTURE and job.limits.admits(first, second):
                return self._rows(first, second)
            else:
                raise EOFError  # no worker of ours says so

    def _rows(self, width: int, height: int) -> Image.Image:
        size = wire.SIZE.unpack(wire.exactly(self._answers.read, wire.SIZE.size))
        picture = Image.new("RGB", (width, height))
        step = wire.rows_at_once(width)
        for top in range(0, height, step):
            rows = min(step, height - top)
            text = wire.exactly(self._answers.read, 3 * width * rows)
            picture.paste(Image.frombuffer("RGB", (width, rows), text, "raw", "RGB", 0, 1), (0, top))
        picture.info["file_size"] = size
        return picture

    def _head(self) -> tuple[bytes, int, int]:
        return wire.HEAD.unpack(wire.exactly(self._answers.read, wire.HEAD.size))


class _RefusedError(Exception):
    """The worker says in one line why there is no picture."""


class Watch:
    """Kills a child that takes more than `seconds`, or that nobody waits for any more."""

    def __init__(self, child: Child, seconds: float, cancelled: Callable[[], bool] | None) -> None:
        self._child, self._seconds, self._cancelled = child, seconds, cancelled
        self._done = Event()
        self._why = ""
        self._thread = Thread(target=self._watch, name="picture watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._why:  # perhaps a moment after the picture was there
            self._child.end()

    def _watch(self) -> None:
        end = time.monotonic() + self._seconds
        while (left := end - time.monotonic()) > 0:
            if self._done.wait(left if self._cancelled is None else min(left, POLL_SECONDS)):
                return
            if self._cancelled is not None and self._cancelled():
                self._why = "cancelled"
                break
        self._why = self._why or "time"
        self._child.kill()

    def reason(self, job: wire.Job | None = None) -> Exception | None:
        """Why the child was killed, as what is to be raised; None: it was not."""
        if self._why == "cancelled":
            return Cancelled()
        if self._why == "time" and job is not None:
            return UserError(f"{job.name}: takes more than {job.seconds:g} s to decode; make it smaller")
        return None


def _piece(file: BinaryIO, offset: int, size: int, name: str) -> bytes:
    try:
        file.seek(offset)
        text = file.read(size)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror or error})") from error
    return wire.LENGTH.pack(len(text)) + text


def _environment(skip_also: list[str]) -> dict[str, str]:
    """Little of ours: what a process needs to start, where our modules are, and GDAL's leash."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    ours = str(Path(__file__).resolve().parents[2])
    # In the order that they have here: beside our folder lie packages that may be called as a standard module is.
    paths = [path for path in sys.path if os.path.isabs(path)]
    paths += [ours] if ours not in paths else []
    return {**kept, **SETTINGS, "GDAL_SKIP": skipping(skip_also), "PYTHONPATH": os.pathsep.join(paths)}
