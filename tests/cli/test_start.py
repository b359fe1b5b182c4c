"""The command from outside: quick to help, quiet, and well-behaved when it is cut off."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "skymoe"]


def test_help_comes_at_once() -> None:
    """CPU time, because the clock on the wall also measures the neighbours."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "classify" in done.stdout
    assert min(spent) < 0.5


@pytest.mark.parametrize(
    "arguments", [["--help"], ["ask", "--help"], ["ask", "none.png", "what?"], ["--version"]]
)
def test_torch_is_not_loaded_before_there_is_something_to_answer(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom skymoe.cli import main\n"
        f"sys.argv = ['skymoe', *{arguments!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


ASKED = {"ask": ["any ships?"], "caption": [], "classify": [], "count": ["ship"], "ground": ["ship"]}


@pytest.mark.parametrize("command", ASKED)
def test_nothing_but_the_answer_is_printed(checkpoint: Path, folder: Path, command: str) -> None:
    """Nor is anything called by a name that a library is about to drop: that would be warned of, and here an error."""
    options = ["-W", "error::FutureWarning", "-W", "error::DeprecationWarning:skymoe"]
    done = subprocess.run(
        [sys.executable, *options, "-m", "skymoe", command, folder / "a.png", *ASKED[command], "--model", checkpoint],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    if command == "count":
        assert done.stdout.strip().isdigit()


def test_a_closed_pipe_is_no_error() -> None:
    process = subprocess.Popen(
        [*COMMAND, "caption", "none.png", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == "skymoe: none.png: no such file\n"
    process.wait(60)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_as_if_nobody_read_it(checkpoint: Path, folder: Path, closed: str) -> None:
    command = [*COMMAND, "count", folder / "a.png", "ship", "--model", checkpoint]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ""


def test_interrupting_is_quiet(folder: Path) -> None:
    def listen() -> None:  # a shell starts background jobs deaf to Ctrl-C, and children inherit that
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(
        [*COMMAND, "caption", "none.png", *[folder / "a.png"] * 2000], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, preexec_fn=listen,
    )  # fmt: skip
    assert process.stderr
    assert "none.png" in process.stderr.readline()  # now it is at work
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
