"""What tests start ends with them, also when they are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from children import start

CHILDREN = Path(__file__).with_name("children.py")
SLEEPER = (
    "import os, pathlib, sys, time\npathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\ntime.sleep(600)\n"
)


def wait_for(condition: object, seconds: float = 120) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def gone(number: int) -> bool:
    """Ended, or ended and not yet asked about."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "sleeper.py", tmp_path / "pid"
    script.write_text(SLEEPER)
    line = f"import sys; sys.path.insert(0, {str(CHILDREN.parent)!r}); from children import start; "
    parent = subprocess.Popen([sys.executable, "-c", line + f"start([{str(script)!r}, {str(told)!r}])"])
    assert wait_for(lambda: told.is_file() and told.read_text())
    child = int(told.read_text())
    assert not gone(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: gone(child))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_a_child_dies_when_it_takes_too_long(tmp_path: Path) -> None:
    script, told = tmp_path / "sleeper.py", tmp_path / "pid"
    script.write_text(SLEEPER)
    with pytest.raises(subprocess.TimeoutExpired):
        start([str(script), str(told)], patience=2)
    assert not told.is_file() or wait_for(lambda: gone(int(told.read_text())))


def test_a_child_s_end_and_words_are_handed_on(tmp_path: Path) -> None:
    script = tmp_path / "speaker.py"
    script.write_text("import sys\nprint('said', sys.argv[1])\nsys.exit(3)\n")
    done = start([str(script), "it"])
    assert (done.returncode, done.stdout) == (3, "said it\n")
    assert start(["-m", "platform"]).returncode == 0
