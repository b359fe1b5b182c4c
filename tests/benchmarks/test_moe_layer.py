"""benchmarks/moe_layer.py: it runs, prints JSON of the promised shape, and compares what is comparable."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OURS = {f"skymoe/{kernel}" for kernel in ("eager", "grouped_mm", "batched_mm")}
MIXTRAL = {name.replace("skymoe", "mixtral") for name in OURS}


@pytest.fixture(scope="module")
def benchmark_module() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("moe_layer")
    finally:
        sys.path.remove(str(BENCHMARKS))


def options(module: ModuleType, *arguments: str) -> Namespace:
    return module.parse(["--quick", "--threads", "1", *arguments])


def test_quick_run_prints_the_promised_json(tmp_path: Path) -> None:
    out, table = tmp_path / "moe.json", tmp_path / "moe.md"
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "moe_layer.py"), "--quick", "--dtype", "fp32", "amp",
         "--out", str(out), "--table", str(table)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert json.loads(out.read_text(encoding="utf-8")) == report
    assert report["benchmark"] == "moe_layer"
    assert report["versions"]["torch"].startswith("2.")
    assert report["machine"]["threads"] >= 1
    assert report["deepspeed"] == {"available": False, "reason": "not asked for (--deepspeed)"}
    passes = [(cell["dtype"], cell["tokens"], cell["pass"]) for cell in report["cells"]]
    assert passes == [
        ("fp32", 2, "forward"), ("fp32", 16, "forward"), ("fp32", 16, "forward+backward"),
        ("amp", 16, "forward+backward"),
    ]  # fmt: skip
    for cell in report["cells"]:
        rows = {row["name"]: row for row in cell["rows"]}
        assert set(rows) == {"dense"} | OURS | MIXTRAL
        assert rows["dense"]["ratio_to_dense"] == 1
        assert all(0 < row["min_ms"] <= row["median_ms"] for row in rows.values())
        assert cell["rounds"] == 2
        assert cell["other_load"] is None or cell["other_load"] >= 0
    assert len(report["best"]) == len(report["cells"])
    assert all(best["lead"] >= 1 for best in report["best"])
    lines = table.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + len(report["cells"])
    assert lines[0].startswith(
        "| hidden → width | dtype | tokens | pass | others | dense, ms | skymoe/eager |"
    )


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "amp"])
@pytest.mark.parametrize("backward", [False, True])
def test_all_mixtures_are_the_same_function(benchmark_module: ModuleType, dtype: str, backward: bool) -> None:
    weights = benchmark_module.Weights(48, 80, dtype)
    x_1TD = weights.tokens(1500)  # enough for near ties, which a router in bfloat16 decides otherwise
    _, first, *others = benchmark_module.build_layers(weights)
    expected = benchmark_module.one_pass(first, x_1TD, dtype, backward)
    assert {layer.name for layer in others} == (OURS | MIXTRAL) - {first.name}
    for layer in others:
        result = benchmark_module.one_pass(layer, x_1TD, dtype, backward)
        found = benchmark_module.compare(layer, result, first, expected, x_1TD, dtype)
        assert found["max_relative_diff"] <= benchmark_module.TOLERANCE[dtype], layer.name
        if layer.name in OURS:
            assert found["tokens_routed_differently"] == 0


def test_another_function_is_not_timed(benchmark_module: ModuleType) -> None:
    weights = benchmark_module.Weights(32, 48, "fp32")
    dense, eager, grouped = benchmark_module.build_layers(weights, ("eager", "grouped_mm"))[:3]
    right = grouped.run
    grouped.run = lambda x_1TD: right(x_1TD) * 1.01
    cell = benchmark_module.measure_cell(
        options(benchmark_module), weights, [dense, eager, grouped], 8, "forward"
    )
    rows = {row["name"]: row for row in cell["rows"]}
    assert rows["skymoe/grouped_mm"]["skipped"] == "differs from skymoe/eager: not timed"
    assert "median_ms" not in rows["skymoe/grouped_mm"]
    assert "median_ms" in rows["skymoe/eager"]


def test_dense_layer_does_the_arithmetic_of_the_chosen_experts(benchmark_module: ModuleType) -> None:
    weights = benchmark_module.Weights(32, 48, "fp32")
    dense, mixture = benchmark_module.build_layers(weights, ("eager",))[:2]
    sizes = [sum(weight.numel() for weight in layer.parameters) for layer in (dense, mixture)]
    router = weights.router.numel()
    assert sizes[0] * benchmark_module.EXPERTS == (sizes[1] - router) * benchmark_module.TOP_K


def test_what_does_not_fit_is_left_out_with_its_reason(benchmark_module: ModuleType) -> None:
    chosen = options(benchmark_module, "--memory", "0.001", "--gather", "0.0001")
    weights = benchmark_module.Weights(64, 128, "fp32")
    dense, eager, batched = benchmark_module.build_layers(weights, ("eager", "batched_mm"))[:3]
    assert "limit 0.0001" in benchmark_module.too_large(chosen, weights, batched, 64, False)
    assert "limit 0.001" in benchmark_module.too_large(chosen, weights, eager, 4096, True)
    assert benchmark_module.too_large(chosen, weights, dense, 1, False) is None


def test_known_widths_and_others(benchmark_module: ModuleType) -> None:
    assert benchmark_module.width_for(4096) == 11008
    assert benchmark_module.width_for(576) == 1536
    assert benchmark_module.width_for(768) == 2048


def test_inputs_repeat(benchmark_module: ModuleType) -> None:
    first, second = (benchmark_module.Weights(32, 48, "bf16") for _ in range(2))
    assert torch.equal(first.gate_up, second.gate_up)
    assert torch.equal(first.tokens(7), second.tokens(7))
