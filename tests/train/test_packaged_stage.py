"""Early stages out of the packaged models: what a recipe's own stage would have left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

import skymoe
from skymoe.models.efficientnet_lite import EfficientNetLiteModel

ASSETS = Path(skymoe.__file__).parent / "assets"
SCRIPT = Path(__file__).parents[2] / "examples" / "training" / "packaged_stage.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False)


def test_tower(tmp_path: Path) -> None:
    folder = tmp_path / "tower" / "model"
    done = run("tower", str(folder))
    assert done.returncode == 0, done.stderr
    tower = EfficientNetLiteModel.from_pretrained(folder)
    whole = AutoModelForImageTextToText.from_pretrained(ASSETS / "nano", dtype=torch.float32)
    for name, value in whole.model.vision_tower.state_dict().items():
        torch.testing.assert_close(tower.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_encoder(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    assert run("encoder", str(folder)).returncode == 0
    stage1 = AutoModelForImageTextToText.from_pretrained(folder)
    assert stage1.config.num_experts == 0
    assert stage1.model.router is None
    assert AutoProcessor.from_pretrained(folder).image_seq_length == stage1.config.num_query_tokens
    whole = AutoModelForImageTextToText.from_pretrained(ASSETS / "rs-moe-nano", dtype=torch.float32)
    for name, value in stage1.state_dict().items():
        torch.testing.assert_close(whole.state_dict()[name], value, rtol=0, atol=0, msg=name)
    again = run("encoder", str(folder))
    assert again.returncode == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize("words", [(), ("decoder", "x")])
def test_called_wrongly(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert "packaged_stage.py tower" in done.stderr
