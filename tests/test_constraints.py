"""The versions that `make` installs: all of them said, each within what the metadata allows, and really used."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if line and not line.startswith("#")]
REQUIRED = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]


def pinned() -> dict[str, str]:
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in PINS}


@pytest.mark.parametrize("required", sorted(set(REQUIRED)))
def test_every_dependency_is_pinned_within_its_range(required: str) -> None:
    wanted = Requirement(required)
    assert wanted.specifier.contains(pinned()[canonicalize_name(wanted.name)]), required


def test_pins_are_exact_and_true_everywhere() -> None:
    assert len(pinned()) == len(PINS), "a package is named twice"
    for pin in PINS:
        (one,) = pin.specifier
        assert one.operator == "=="
        assert "+" not in one.version, f"{pin}: a build's suffix is not found elsewhere"
        assert pin.url is None


def test_transformers_is_capped_behind_the_minor_that_is_pinned() -> None:
    """Its next minor version may rename what ours are built on, as 5.24 did."""
    (wanted,) = (Requirement(line) for line in PROJECT["dependencies"] if line.startswith("transformers"))
    major, minor = pinned()["transformers"].split(".")[:2]
    assert f"<{major}.{int(minor) + 1}" in str(wanted.specifier).split(",")


def made(*arguments: str) -> str:
    """What `make` would do in a fresh checkout."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", "VENV=.none", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("target", ["setup", "demo", "test", "train-nano", "eval-nano"])
def test_make_installs_the_pins_unless_told_otherwise(target: str) -> None:
    installs = re.findall(r"pip .*install.*", made(target))
    assert len(installs) >= 2
    assert all("-c constraints.txt" in line for line in installs)
    builds = [line for line in made(target).splitlines() if "pip" in line and "-e " in line]
    assert all("PIP_CONSTRAINT=" in line and "PIP_BUILD_CONSTRAINT=" in line for line in builds), builds
    assert f'"torch=={pinned()["torch"]}"' in installs[0]
    assert not any(
        "-c constraints.txt" in line for line in re.findall(r"pip .*install.*", made(target, "LATEST=1"))
    )


def test_an_index_for_torch_serves_torch_alone() -> None:
    first, *others = re.findall(r"pip .*install.*", made("setup", "TORCH_INDEX=https://example.org/cpu"))
    assert "--index-url https://example.org/cpu" in first
    assert "-c constraints.txt" not in first  # such an index has what torch needs in few versions
    assert f'"torch=={pinned()["torch"]}"' in first
    assert all("index-url" not in line and "-c constraints.txt" in line for line in others)
