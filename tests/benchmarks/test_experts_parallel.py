"""benchmarks/experts_parallel.py: experts in one batch, in turn and in threads say the same before they are timed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from engine.tiny_rsmoe import build
from skymoe.engine import SkyMoe
from skymoe.engine.opened import opened

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@torch.inference_mode()
def test_all_ways_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("experts_parallel")
    sys.modules.pop("experts_parallel")
    pictures = [opened(Image.effect_noise((96, 96), spread).convert("RGB")) for spread in (20, 90)]
    found = module.measure(SkyMoe(*build()), pictures, rounds=1, length=4)
    assert set(found) == {"findings", "answer"}
    for measured in found.values():
        assert measured["same"] == {"batch": True, "one_by_one": True, "threads": True}
        assert measured["times_faster_than_one_by_one"]["one_by_one"] == 1
        assert all(seconds > 0 for seconds in measured["seconds"].values())
