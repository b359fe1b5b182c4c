"""The process that decodes: its budgets, its end, and that the next picture does not suffer."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skymoe import rasters
from skymoe.errors import UserError
from skymoe.imaging import child, wire
from skymoe.imaging.child import Cancelled, _environment
from skymoe.pictures import open_picture, open_picture_apart

from . import pngs, tiffs

SMALL = tiffs.tiff(tiffs.picture(40, 30))
SLOW = pngs.png(6000, 6000, colour=2, depth=16)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, and limits memory")


def apart(content: bytes, seconds: float = 60, memory: int = 1 << 30, **rest: object) -> Image.Image:
    return open_picture_apart(content, seconds=seconds, memory=memory, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_is_decoded_apart_as_it_is_here(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    here, there = open_picture(file.getvalue()), apart(file.getvalue())
    assert here.tobytes() == there.tobytes()
    assert here.info == there.info == {"file_size": (90, 70)}


def test_what_takes_too_long_is_given_up_and_the_next_picture_is_decoded() -> None:
    apart(SMALL)
    start = time.monotonic()
    with pytest.raises(
        UserError, match=r"the given bytes: takes more than 0\.2 s to decode; make it smaller"
    ):
        apart(SLOW, seconds=0.2)
    assert time.monotonic() - start < 5
    assert apart(SMALL).size == (40, 30)


@linux
def test_what_takes_too_much_memory_is_refused_and_the_next_picture_is_decoded() -> None:
    with pytest.raises(UserError, match="the given bytes: needs more than 50 MB to decode; make it smaller"):
        apart(SLOW, memory=50 << 20)
    with pytest.raises(UserError, match="needs more than 50 MB"):
        apart(pngs.png(6000, 6000, colour=6, depth=8), memory=50 << 20)
    assert apart(SMALL).size == (40, 30)


def test_nothing_is_decoded_for_a_caller_who_is_gone() -> None:
    start = time.monotonic()
    with pytest.raises(Cancelled):
        apart(SLOW, cancelled=lambda: True)
    assert time.monotonic() - start < 5
    assert apart(SMALL, cancelled=lambda: False).size == (40, 30)


def workers(of: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(of)], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "skymoe.imaging.worker" in line]


@linux
def test_a_decoder_that_crashes_is_one_line() -> None:
    apart(SMALL)

    def crash() -> bool:
        for pid in workers(os.getpid()):
            os.kill(pid, signal.SIGSEGV)
        return False

    with pytest.raises(UserError, match=r"the given bytes: cannot be read .* crash \(code -11\)"):
        apart(SLOW, cancelled=crash)
    assert apart(SMALL).size == (40, 30)
    crash()  # also while it waits
    time.sleep(0.3)
    assert apart(SMALL).size == (40, 30)


def test_threads_decode_at_once() -> None:
    shades = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in range(24)]
    contents = []
    for shade in shades:
        shade.save(file := io.BytesIO(), "TIFF")
        contents.append(file.getvalue())
    with ThreadPoolExecutor(8) as pool:
        for opener in (apart, open_picture):
            assert [p.getpixel((9, 9))[0] for p in pool.map(opener, contents)] == list(range(24))


def run(code: str, folder: Path) -> subprocess.Popen[str]:
    (folder / "small.tif").write_bytes(SMALL)
    (folder / "slow.png").write_bytes(SLOW)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def gone(pids: list[int], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@linux
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = "from skymoe.pictures import open_picture as o; o('small.tif'); print('open', flush=True); input()"
    (tmp_path / "small.tif").write_bytes(SMALL)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "open\n"
    pids = workers(parent.pid)
    assert pids
    parent.kill()
    parent.communicate()
    assert gone(pids)


@linux
def test_ctrl_c_ends_the_decoding(tmp_path: Path) -> None:
    code = """
import signal
from skymoe.pictures import open_picture
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without
print(flush=True)
while True:
    open_picture("slow.png")
"""
    parent = run(code, tmp_path)
    assert parent.stdout is not None
    parent.stdout.readline()
    while not (pids := workers(parent.pid)):
        time.sleep(0.05)
    time.sleep(1)
    start = time.monotonic()
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert gone(pids)


@linux
def test_forked_processes_have_workers_of_their_own(tmp_path: Path) -> None:
    code = """
import os
from skymoe.pictures import open_picture
open_picture("small.tif")
pids = []
for _ in range(3):
    if not (pid := os.fork()):
        os._exit(0 if all(open_picture("small.tif").size == (40, 30) for _ in range(5)) else 1)
    pids.append(pid)
print([os.waitpid(pid, 0)[1] for pid in pids], open_picture("small.tif").size)
"""
    out, errors = run(code, tmp_path).communicate(timeout=120)
    assert out == "[0, 0, 0] (40, 30)\n", errors
    assert errors == ""


def test_an_unreadable_worker_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", sys.executable + "-that-is-not")
    with pytest.raises(UserError, match="does not start") as caught:
        rasters.Keeper(1).decode(io.BytesIO(SMALL), rasters.Job("TIFF", "x.tif", len(SMALL), 9, 1 << 30))
    assert "\n" not in str(caught.value)


def test_a_python_that_does_not_know_itself_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "_local", rasters.Keeper(1))
    for nothing in (None, ""):
        monkeypatch.setattr(sys, "executable", nothing)
        with pytest.raises(UserError, match=r"Python does not know its own program; set sys\.executable"):
            open_picture(SMALL)


def test_modules_are_looked_for_in_the_same_order_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = str(Path(rasters.__file__).resolve().parents[1])
    for given, expected in (
        (["", "/lib/python", ours, "/site"], ["/lib/python", ours, "/site"]),
        (["/lib/python", "relative", "/site"], ["/lib/python", "/site", ours]),
    ):
        monkeypatch.setattr(sys, "path", given)
        assert _environment([])["PYTHONPATH"].split(os.pathsep) == expected


def test_a_stray_module_beside_ours_stops_no_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "skymoe").symlink_to(Path(rasters.__file__).parent)
    (tmp_path / "typing.py").write_text("raise SystemExit")
    monkeypatch.setattr(child, "__file__", str(tmp_path / "skymoe/imaging/child.py"))
    monkeypatch.setattr(Path, "resolve", Path.absolute)  # as if it lay there
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    started = child.Child("x")
    assert started.sound
    started.end()


@linux
def test_a_child_at_work_ends_with_a_killed_parent() -> None:
    """Our end of its pipes stays open, so that it is told nothing."""
    code = """
import signal, subprocess, sys
from skymoe.imaging import child, wire
work = [sys.executable, "-P", "-m", "skymoe.imaging.worker"]
environment = {**child._environment([]), "SKYMOE_WORKER_KEY": "00"}
print(subprocess.Popen(work, env=environment, stderr=subprocess.DEVNULL).pid, file=sys.stderr, flush=True)
signal.pause()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdin
    assert parent.stdout
    assert parent.stderr
    pid = int(parent.stderr.readline())
    assert parent.stdout.read(wire.HEAD.size)[:1] == wire.READY
    parent.kill()
    parent.wait()
    ended = gone([pid], seconds=5)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for stream in (parent.stdin, parent.stdout, parent.stderr):
        stream.close()
    assert ended


def test_noise_for_a_picture_is_one_line() -> None:
    for head in (
        b"II*\0",
        b"MM\0*",
        b"II+\0",
        b"MM\0+",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF",
        b"BM",
        b"GIF8",
    ):
        with pytest.raises(UserError, match="the given bytes"):
            apart(head + zlib.compress(head) * 9)
