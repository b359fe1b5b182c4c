"""The one command for whoever has a large GPU: it runs on a tiny model, plans its memory, loses no part to another."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from skymoe.train.planning.memory import Estimator, Layout
from skymoe.train.planning.tensors import count, weights

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GIB = 2**30


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[ModuleType, ModuleType]]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("full_scale"), importlib.import_module("_full_scale_parts")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
def test_the_tiny_run_prints_what_the_large_one_will(tmp_path: Path) -> None:
    out, block = tmp_path / "full.json", tmp_path / "full.md"
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "full_scale.py"), "--tiny", "--device", "cpu", "--peak", "1T",
         "--out", str(out), "--markdown", str(block)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    answer, train = report["parts"]["answer"], report["parts"]["train"]
    for first, then in zip(answer["prefill"], answer["decode"], strict=True):
        assert set(first["rows"]) == {"tower", "dense", "mixture/grouped_mm", "mixture/eager"}
        assert set(then["rows"]) == {"dense", "mixture/grouped_mm", "mixture/eager", "mixture/batched_mm"}
        assert first["rows"]["dense"]["ratio_to_dense"] == then["rows"]["dense"]["ratio_to_dense"] == 1
        assert all(row["tflop_per_s"] > 0 and row["of_peak"] > 0 for row in first["rows"].values())
    assert set(train["rows"]) == {"grouped_mm", "eager"}
    assert all(row["mfu"] < row["hfu"] for row in train["rows"].values())
    text = block.read_text(encoding="utf-8")
    assert report["command"] in text
    assert report["date"][:10] in text
    assert text.count("| mixture/grouped_mm |") == 2


def test_memory_is_planned_for_an_h200(modules: tuple[ModuleType, ModuleType]) -> None:
    """Both models fit beside each other; the trained one gets as many layers as fit."""
    command, parts = modules
    options = command.parse(["--tiny"])
    options.tiny, options.layers, options.micro = False, 32, 4
    held = sum(2 * count(weights(parts.model_of(options, experts))) for experts in (0, 8))
    assert 54 * GIB < held < 55 * GIB
    planned = {}
    for layers in (14, 16):
        stage = parts.stage_of(options, layers)
        planned[layers] = Estimator(stage).memory(Layout("ddp", 1), 4, True, False).peak
    usable = 139.8 * GIB * parts.SPARE
    assert planned[14] < usable < planned[16]


def test_out_of_memory_loses_one_line(modules: tuple[ModuleType, ModuleType]) -> None:
    _, parts = modules

    def greedy() -> dict:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 90 GiB")

    assert parts.tried(greedy, batch=8) == {"batch": 8, "failed": "out of memory: CUDA out of memory"}
    assert parts.tried(lambda: {"found": 1}, batch=8) == {"batch": 8, "found": 1}
    with pytest.raises(ZeroDivisionError):
        parts.tried(lambda: {"found": 1 / 0})


def test_a_part_that_dies_is_said_and_the_others_stand(modules: tuple[ModuleType, ModuleType]) -> None:
    command, _ = modules
    dead = command.in_own_process("answer", ["--tiny", "--device", "cpu", "--peak", "nonsense"])
    assert dead["failed"].startswith("ended with")
    report = {
        "command": "python benchmarks/full_scale.py", "date": "2026-11-21T10:00:00+00:00", "versions": {"torch": "2"},
        "machine": {"gpu": "NVIDIA H200", "cores": 16, "cuda": "13.0"},
        "parts": {"answer": dead, "train": {
            "layers": 12, "layers_of_the_whole": 32, "parameters": 8e9, "micro_batch": 4, "tokens": 5440,
            "planned_peak_gib": 120.5,
            "rows": {
                "grouped_mm": {"median_ms": 900.0, "model_tflop_per_s": 381.4},
                "eager": {"failed": "out of memory: x"},
            },
        }},
    }  # fmt: skip
    text = command.markdown(report)
    assert "answer: ended with" in text
    assert "| grouped_mm | 900 | – | 381 |" in text
    assert "| eager | out of memory: x |" in text
    assert "--flops 381T" in text


def test_without_a_gpu_the_large_run_is_refused(modules: tuple[ModuleType, ModuleType]) -> None:
    command, _ = modules
    with pytest.raises(SystemExit):
        command.parse(["--device", "cpu"])
