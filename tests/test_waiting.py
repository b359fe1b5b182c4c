"""How PyTorch's threads wait: asleep where nobody has said otherwise, as the OpenMP runtime itself reports it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from skymoe.waiting import DECIDED_BY, wait_asleep

ASLEEP = {"GOMP_SPINCOUNT": "0"}
BY_DEFAULT = {"GOMP_SPINCOUNT": "300000"}


def reported(code: str, **environment: str) -> dict[str, str]:
    """The settings in force in a fresh interpreter that runs `code`, as libgomp prints them when it is loaded."""
    ours = {name: value for name, value in os.environ.items() if name not in DECIDED_BY}
    done = subprocess.run(
        [sys.executable, "-c", code], env=ours | {"OMP_DISPLAY_ENV": "verbose"} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(re.findall(r"(\w+) = '(.*)'", done.stderr))
    if "GOMP_SPINCOUNT" not in found:
        pytest.skip("this PyTorch does not wait by GNU's OpenMP")
    return found


@pytest.mark.parametrize("code", ["import skymoe; skymoe.load", "import skymoe.cli, torch"])
def test_waiting_threads_sleep(code: str) -> None:
    assert ASLEEP.items() <= reported(code).items()


def test_processes_that_are_started_inherit_it() -> None:
    code = (
        "import sys, subprocess, skymoe; subprocess.run([sys.executable, '-c', 'import torch'], check=True)"
    )
    assert ASLEEP.items() <= reported(code).items()


def test_a_process_that_loaded_torch_before_keeps_its_own() -> None:
    """docs/usage.md says so, and to import skymoe first."""
    assert BY_DEFAULT.items() <= reported("import torch, skymoe").items()


@pytest.mark.parametrize(
    ("name", "value"),
    [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "5000"), ("KMP_BLOCKTIME", "1"), ("KMP_LIBRARY", "turnaround")],
)  # fmt: skip
def test_the_users_own_choice_stays(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in DECIDED_BY:
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, value)
    wait_asleep()
    assert {known: os.environ[known] for known in DECIDED_BY if known in os.environ} == {name: value}
