"""Documents and examples are run, so that they cannot tell of things that do not work."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import Run
from skymoe.cli.reference import reference

ROOT = Path(__file__).resolve().parents[2]
USAGE = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", USAGE, re.S)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> Path:
    """A folder with the pictures that the documents speak of, where the tiny model is called nano."""
    rng = np.random.default_rng(2)
    for name in ("port.png", "tanks.png"):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "nano").symlink_to(checkpoint)
    monkeypatch.setattr("skymoe.engine.checkpoint.ASSETS", tmp_path / "assets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m skymoe.cli.reference > docs/cli.md"


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines() if line])
def test_every_command_of_the_usage_page_works(run: Run, workplace: Path, line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "skymoe"
    outcome = run(*arguments, tiny=False)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out


@pytest.mark.parametrize("code", blocks("python"), ids=["engine", "transformers"])
def test_python_of_the_usage_page_works(
    workplace: Path, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "usage.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_run(
    workplace: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path.name, "." if "folder" in path.stem else "tanks.png"])
    runpy.run_path(str(path), run_name="__main__")
    assert "storage tank" in capsys.readouterr().out
