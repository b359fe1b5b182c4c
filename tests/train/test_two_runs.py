"""Two trainings in one output: the second is refused, and no model ends under another recipe's record."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from children import ENVIRONMENT, start, write
from tiny_base import recipe

from skymoe.errors import UserError
from skymoe.outputs import alone_in
from skymoe.train.checkpoints import save_whole
from skymoe.train.recipe import Recipe
from skymoe.train.records import RECORD
from skymoe.train.stages import Training

STAGE = {"kind": "dense", "name": "stage1", "steps": 1, "train": ["multi_modal_projector"]}


def made(output: Path, tiny: Path, **changes: float) -> Recipe:
    return recipe(output, tiny / "llava", tiny / "samples", {**STAGE, **changes})


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process")
def test_a_second_training_is_refused_while_the_first_lasts(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    first = write(made(output, tiny), tmp_path / "first")
    second = write(made(output, tiny, learning_rate=0.5), tmp_path / "second")
    with subprocess.Popen(
        [sys.executable, "-m", "skymoe", "train", str(first)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as one:  # fmt: skip
        try:
            while not (output / "stage1" / RECORD).exists():
                assert one.poll() is None
                time.sleep(0.005)
            one.send_signal(signal.SIGSTOP)  # as if it were loading 7B weights
            other = start(["-m", "skymoe", "train", str(second)])
            one.send_signal(signal.SIGCONT)
            one.communicate()
        finally:
            one.kill()
    assert other.returncode == 2
    assert f"skymoe: {output} is being written by another run: wait" in other.stderr
    assert "Traceback" not in other.stderr
    assert one.returncode == 0
    kept = json.loads((output / "stage1" / RECORD).read_text())
    assert kept["recipe"]["stages"][0]["learning_rate"] == 1e-3


def test_within_a_process_too(tiny: Path, tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(UserError, match="being written by another run"):
        Training(made(tmp_path, tiny)).run()
    assert Training(made(tmp_path, tiny)).run().is_dir()


def test_a_model_that_appeared_meanwhile_stays(tmp_path: Path) -> None:
    model = tmp_path / "stage1" / "model"

    def write_slowly(partial: Path) -> None:
        (partial / "config.json").write_text("mine")
        model.mkdir()
        (model / "config.json").write_text("another's")

    with pytest.raises(UserError, match="model was written by another run meanwhile") as caught:
        save_whole(model, write_slowly)
    assert "\n" not in str(caught.value)
    assert [path.read_text() for path in tmp_path.rglob("*.json")] == ["another's"]


def test_an_emptied_model_folder_is_made_again(tiny: Path, tmp_path: Path) -> None:
    model = Training(made(tmp_path, tiny)).run()
    weights = (model / "model.safetensors").read_bytes()
    shutil.rmtree(model)
    model.mkdir()
    assert Training(made(tmp_path, tiny)).run() == model
    assert (model / "model.safetensors").read_bytes() == weights
