"""The script that measures augmentation runs and compares like with like; its figures are not judged here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")


def test_all_make_the_same_pictures_and_the_checker_accepts_ours() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "augment.py"
    spec = importlib.util.spec_from_file_location("augment_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    runs, differing = script.contestants(script.drawn(2, 128, 20))
    assert set(differing.values()) == {0.0}
    assert runs["skymoe, mask"]() == runs["opencv loop, mask"]() == 2
    assert runs["skymoe, checked"]() == runs["skymoe, cutout"]() == 8
