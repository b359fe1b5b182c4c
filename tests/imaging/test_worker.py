"""What a stranger's picture leaves behind in its decoder: nothing that the next one could meet."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.imaging import wire
from skymoe.imaging.keeper import Keeper

from . import pngs, tiffs

RED = (255, 0, 0)


def png(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    Image.new("RGB", size, colour).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def hostile() -> bytes:
    """A TIFF whose notes take 8 MB to read, and hold a job, and the file for it, as the keeper would send them."""
    evil = png(RED, (40, 30))
    job = wire.Job("any", "evil", len(evil), 1e6, 1 << 40).pack()
    piece = job + (wire.LENGTH.pack(len(evil)) + evil) * 2
    notes = piece.ljust(wire.PIECE, b"\0") * 2
    page = tiffs.picture(40, 30)
    page[42112] = (tiffs.ASCII, notes, len(notes))
    return tiffs.tiff(page)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory")
def test_a_piece_that_has_no_room_is_not_taken_for_the_next_job() -> None:
    content = hostile()
    keeper = Keeper(1)
    honest = png((0, 0, 255), (64, 64))
    for megabytes in (9, 10, 11):  # room for the notes, but not for a copy of a piece of them
        job = wire.Job("any", "hostile", len(content), 20, megabytes << 20)
        with pytest.raises(UserError, match=f"needs more than {megabytes} MB to decode; make it smaller"):
            keeper.decode(io.BytesIO(content), job)
        for _ in range(2):
            picture = keeper.decode(io.BytesIO(honest), wire.Job("any", "honest", len(honest), 20, 1 << 28))
            assert (picture.size, picture.getpixel((0, 0))) == ((64, 64), (0, 0, 255))
    keeper.close()


HALF = """
import io, sys
from PIL import Image
from skymoe.imaging import worker
class Full(io.BytesIO):
    def short(self, *_):
        raise MemoryError
    read = readinto = write = short
try:
    if sys.argv[1] == "asked":
        worker.Given(Full(), io.BytesIO(), 100).readinto(bytearray(100))
    elif sys.argv[1] == "longer":
        worker.Given(io.BytesIO((101).to_bytes(8, "little") + bytes(101)), io.BytesIO(), 100).readinto(bytearray(99))
    else:
        picture = Image.new("RGB", (4, 4))
        picture.info["file_size"] = (4, 4)
        worker._send(Full(), picture)
except BaseException:
    pass
print("goes on")
"""


@pytest.mark.parametrize(("what", "code"), [("asked", 77), ("longer", 1), ("told", 77)])
def test_half_a_message_is_the_end_of_the_process(what: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF, what], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (code, ""), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory")
def test_a_decoder_that_had_no_memory_left_is_not_used_again() -> None:
    keeper, slow = Keeper(1), pngs.png(6000, 6000, colour=2, depth=16)
    with pytest.raises(UserError, match="x: needs more than 50 MB to decode; make it smaller"):
        keeper.decode(io.BytesIO(slow), wire.Job("any", "x", len(slow), 60, 50 << 20))
    assert not keeper._idle


def test_what_does_not_begin_with_the_key_is_no_job() -> None:
    keeper, honest = Keeper(1), png((0, 0, 255), (64, 64))
    job = wire.Job("any", "x", len(honest), 20, 1 << 28)
    assert keeper.decode(io.BytesIO(honest), job).size == (64, 64)
    (child,) = keeper._idle
    child._told.write(job.pack())
    child._told.flush()
    assert child._process.wait(10) == 1


CAPPED = """
import resource
from skymoe.imaging import limits, worker
memory = worker._lock()
memory.allow(1 << 40)
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
print(memory._idle + limits.MAX_MEMORY == soft == hard)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory")
def test_no_job_may_lift_the_limit_of_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CAPPED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr
