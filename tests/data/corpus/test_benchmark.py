"""The script that measures builds runs; its figures are not judged here."""

from __future__ import annotations

import importlib.util
from argparse import Namespace
from pathlib import Path

import pytest


@pytest.mark.parametrize("pixels", [False, True])
def test_it_measures_a_small_build(tmp_path: Path, pixels: bool) -> None:
    path = Path(__file__).parents[3] / "benchmarks" / "corpus.py"
    spec = importlib.util.spec_from_file_location("corpus_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.measure(tmp_path, 20, Namespace(pixels=pixels, format="jsonl", workers=1))
    assert found["pictures"] == 20
    assert found["items_made"] >= found["items"] > 100
    assert found["seconds"] > 0
    assert found["cpu_seconds"] > 0
