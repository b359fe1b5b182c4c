"""A folder is written by one process at a time, and what stands in the way of writing is one line."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skymoe.errors import UserError
from skymoe.outputs import alone_in, writing

# Holds the folder, with a forked worker that lives on when it is killed.
HOLDER = """
import os, sys, time
from pathlib import Path
from skymoe.outputs import alone_in
with alone_in(Path(sys.argv[1])):
    worker = os.fork()
    if worker:
        print(worker, flush=True)
    time.sleep(600)
"""


def refused(folder: Path, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught, alone_in(folder):
        pass
    assert "\n" not in str(caught.value)
    assert "choose another output" in str(caught.value)


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    folder = tmp_path / "runs" / "one"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        worker = int(holder.stdout.readline())
        try:
            refused(folder, "one is being written by another run: wait until it ends")
            holder.kill()
            holder.wait()
            with alone_in(folder):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)


def test_within_a_process_it_is_held_once_and_given_back(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with alone_in(tmp_path):
        refused(tmp_path / "link", "being written by another run")
        with alone_in(tmp_path / "other"):
            pass
    with pytest.raises(KeyError), alone_in(tmp_path):
        raise KeyError
    with alone_in(tmp_path):
        pass


def test_a_refusal_within_the_process_does_not_let_others_in(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from skymoe.outputs import alone_in\n"
    code += "with alone_in(Path(sys.argv[1])): print('in')"
    with alone_in(tmp_path):
        refused(tmp_path, "being written by another run")
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert "being written by another run" in other.stderr
    assert other.stdout == ""


def test_what_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder in ("file", "file/below", "loop", "n" * 300):
        refused(tmp_path / folder, r"cannot be written \([A-Z][\w ]+\): choose another output")


def test_a_full_disk_has_another_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\(No space left on device\): make room"), writing(tmp_path):
        raise OSError(errno.ENOSPC, "what the system says")
