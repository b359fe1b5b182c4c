"""benchmarks/threads.py: times answers and a training step of the same weights, beside programs that end with it."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.tiny_model import build

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("threads")
    sys.modules.pop("threads")
    return module


def test_every_task_is_timed_as_often_as_asked(threads: ModuleType, tmp_path: Path) -> None:
    for part in build():
        part.save_pretrained(tmp_path)
    found = threads.answer_times(str(tmp_path), list(threads.TASKS), samples=2, most=1e9)
    assert {task: len(times) for task, times in found.items()} == dict.fromkeys(threads.TASKS, 2)
    assert all(seconds > 0 for times in found.values() for seconds in times)


def test_busy_programs_end(threads: ModuleType) -> None:
    with threads.busy_programs(2) as running:
        assert [program.poll() for program in running] == [None, None]
    for program in running:
        with pytest.raises(ProcessLookupError):
            os.kill(program.pid, 0)
