from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skymoe.data.corpus.pool import ordered_map
from skymoe.errors import UserError

HERE = Path(__file__).parents[3]


def squared(number: int) -> int:
    return number * number


def announced(folder: str) -> None:
    """Leaves the number of its process, and works for long."""
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def killed(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_order_from_one_process_and_from_two() -> None:
    assert list(ordered_map(squared, range(9), 1)) == list(ordered_map(squared, range(9), 2))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_worker_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match="fewer --workers"):
        list(ordered_map(killed, range(4), 2))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir()
    code = (
        "from skymoe.data.corpus.pool import ordered_map\n"
        "from tests.data.corpus.test_pool import announced\n"
        "if __name__ == '__main__':\n"
        f"    list(ordered_map(announced, [{str(folder)!r}] * 4, 2))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE / "src")])}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    until = time.monotonic() + 120
    while len(list(folder.iterdir())) < 2 and parent.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    workers = [int(path.name) for path in folder.iterdir()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    while any(map(_runs, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(_runs, workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
