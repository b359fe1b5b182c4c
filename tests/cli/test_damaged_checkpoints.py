"""Every command that reads a model refuses a damaged one in one line, with exit code 2, and runs nothing of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.tiny_model import build
from models.damaged import FILES, TENSORS, marker, save_sharded

from .conftest import Run

# One of each kind for every command; tests/engine/test_checkpoint.py and tests/models/test_whole_weights.py have all.
SOME = {
    name: (TENSORS | FILES)[name] for name in ("missing", "NaN", "index above", "a payload alone", "cut off")
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, processor = build(num_experts=0)
    folder = save_sharded(model, tmp_path_factory.mktemp("saved"))
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def miniatures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(Path(__file__).parents[1] / "fixtures" / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def damaged(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def test_the_undamaged_one_is_served_by_every_command(
    saved: Path, folder: Path, run: Run, tmp_path: Path
) -> None:
    assert run("count", folder / "a.png", "ship", "--model", saved, tiny=False).code == 0
    assert run("upcycle", saved, tmp_path / "out", "--experts", 2, tiny=False).code == 0
    assert run("train", recipe(tmp_path, saved), tiny=False).code == 0


@pytest.mark.parametrize("command", ["count", "serve", "upcycle", "train", "eval", "eval as a stranger's"])
@pytest.mark.parametrize("harm", SOME)
def test_commands(damaged: Path, folder: Path, run: Run, tmp_path: Path, command: str, harm: str) -> None:
    damage, message = SOME[harm]
    damage(damaged)
    arguments: list[object] = {
        "count": ["count", folder / "a.png", "ship", "--model", damaged],
        "serve": ["serve", damaged, "--port", 0],
        "upcycle": ["upcycle", damaged, tmp_path / "out"],
        "train": ["train", recipe(tmp_path, damaged)],
        "eval": ["eval", damaged, "-b", "ucm-scenes", "--out", tmp_path / "eval"],
        "eval as a stranger's": ["eval", damaged, "-b", "ucm-scenes", "--engine", "transformers"],
    }[command]
    refused = run(*arguments, tiny=False)
    assert refused.code == 2, refused
    last = refused.err.strip().splitlines()[-1]
    assert last.startswith("skymoe: ")
    assert re.search(message, last), last
    assert "Traceback" not in refused.err
    assert not marker(damaged).exists()


def test_as_its_own_process_one_line_is_all_that_is_said(damaged: Path, folder: Path) -> None:
    TENSORS["missing"][0](damaged)
    done = subprocess.run(
        [sys.executable, "-m", "skymoe", "count", folder / "a.png", "ship", "--model", damaged],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("skymoe: model ")
    assert done.stderr.count("\n") == 1


def recipe(tmp_path: Path, base: Path) -> Path:
    """One small step from `base`, written as JSON, which YAML can read."""
    stage = {"kind": "dense", "name": "stage1", "steps": 1, "batch_size": 2, "learning_rate": 1e-3}
    told = {
        "name": "tiny", "output": str(tmp_path / "run"), "precision": "fp32", "workers": 0, "stages": [stage],
        "base": {"model": str(base)},
        "data": {"sources": [{"name": "ucm-captions"}], "questions": {"caption": 1}},
    }  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(json.dumps(told))
    return tmp_path / "recipe.yaml"
