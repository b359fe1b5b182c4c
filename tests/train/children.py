"""Processes of their own for tests, which end with the test run: a worker whose partner was killed would else wait for
hours for it to come back."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skymoe.train.recipe import Recipe

ENVIRONMENT = os.environ | {
    "CUDA_VISIBLE_DEVICES": "",
    "TOKENIZERS_PARALLELISM": "false",
}
PATIENCE = 3600  # seconds that a command may take; on a busy machine importing PyTorch alone takes minutes
PARENT_DEATH = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the system for a signal when the process that started this one is gone, however it ended."""
    if not sys.platform.startswith("linux"):
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PARENT_DEATH, int(number))
    if os.getppid() != parent:  # it ended between the two lines
        os.kill(os.getpid(), number)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


def start(
    command: list[str], patience: float = PATIENCE, threads: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run a Python command to its end. torchrun is asked to end first, so that it ends its workers.

    `threads`: on some processors one and two threads round differently, so that who compares to the bit needs as many
    as the other side has.
    """
    with subprocess.Popen(
        [sys.executable, str(Path(__file__)), *command],
        env=ENVIRONMENT | {"OMP_NUM_THREADS": str(threads)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        try:
            out, err = child.communicate(timeout=patience)
        except BaseException:
            child.terminate()
            try:
                child.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return subprocess.CompletedProcess(command, child.returncode, out, err)


def write(made: Recipe, folder: Path) -> Path:
    """The recipe as a file, for processes of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(made.model_dump_json(by_alias=True), encoding="utf-8")  # JSON is YAML
    return path


def torchrun(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes run a script of this folder."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return start([*launch, str(Path(__file__)), str(script), *arguments])


def two(made: Recipe, folder: Path) -> None:
    """Two processes train by the recipe, as `torchrun -m skymoe train` does."""
    path = write(made, folder)
    done = start(
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(Path(__file__)),
         "-m", "skymoe", "train", str(path)]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.count("model: ") == 1, "the first process speaks for all"


def main(arguments: list[str]) -> None:
    """`children.py [-m MODULE | SCRIPT] ARGUMENT…`: run it in this process, which dies with its parent."""
    # torchrun ends its workers when it is asked to; killed outright it could not, but they die with it.
    die_with_parent(signal.SIGTERM if "torch.distributed.run" in arguments else signal.SIGKILL)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
