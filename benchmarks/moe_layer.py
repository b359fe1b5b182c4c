"""How fast is one mixture-of-experts layer? Prints JSON.

    python benchmarks/moe_layer.py [--deepspeed] [--out FILE] [--table FILE] [--quick]

SkyMoE's block against Transformers' Mixtral block with each experts kernel, DeepSpeed's MoE layer and the dense FFN
that does the same arithmetic for each token (K experts wide). The implementations take turns (A B C A B C …), so that
whatever else the machine does meets all of them; before the clock starts their outputs and input gradients must agree.
See benchmarks/README.md for what the numbers mean.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import _deepspeed_environment as deepspeed_environment
import torch
from _moe_layers import DTYPES, EXPERTS, KERNELS, TOP_K, Layer, Weights, autocast, build_layers, width_for
from torch import Tensor

GIB = 2**30
FORWARD, BACKWARD = "forward", "forward+backward"
# Largest deviation allowed, as a share of the largest output; beyond it the layer is another function.
TOLERANCE = {"fp32": 1e-4, "bf16": 0.05, "amp": 0.05}
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
QUIET = 0.1  # cores busy with other programs, below which a measurement counts as undisturbed
SHORTEST_SAMPLE = 0.005  # seconds; quicker calls are repeated within a sample


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    torch.set_num_threads(options.threads)
    deepspeed: dict[str, Any] = {"available": importlib.util.find_spec("deepspeed") is not None}
    if options.deepspeed and not deepspeed_environment.inside():
        try:
            python = deepspeed_environment.ensure()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            deepspeed["reason"] = str(error)
        else:  # the whole comparison moves there: only within one process can implementations take turns
            return subprocess.run([str(python), __file__, *sys.argv[1:]], check=False).returncode
    elif not options.deepspeed:
        deepspeed = {"available": False, "reason": "not asked for (--deepspeed)"}
    report = {
        "benchmark": "moe_layer",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "benchmarks/moe_layer.py", *sys.argv[1:]]),
        "machine": machine(),
        "versions": {
            name: version(name)
            for name in ("torch", "transformers", *(["deepspeed"] if deepspeed["available"] else []))
        },
        "deepspeed": deepspeed,
        "settings": {**vars(options), "experts": EXPERTS, "top_k": TOP_K},
    }
    started = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # DeepSpeed talks to stdout, where only the JSON belongs
        report["cells"] = cells = measure_all(options, deepspeed["available"])
    report["best"] = [best_kernel(cell) for cell in cells if len(timed(cell, "skymoe/")) > 1]
    report["seconds"] = round(time.perf_counter() - started, 1)
    report["load_average_after"] = os.getloadavg()
    text = json.dumps(report, indent=1, default=str)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n", encoding="utf-8")
    if options.table:
        Path(options.table).write_text(table(cells), encoding="utf-8")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, nargs="+", default=[320, 576, 1024, 4096])
    parser.add_argument("--tokens", type=int, nargs="+", default=[1, 8, 64, 512, 2048])
    parser.add_argument("--dtype", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument(
        "--repeats", type=int, default=7, help="rounds in which every implementation runs once"
    )
    parser.add_argument("--seconds", type=float, default=5, help="no new round of a cell after this time")
    parser.add_argument(
        "--patience",
        type=float,
        default=0,
        help="seconds to go on repeating a cell until the machine is quiet",
    )
    parser.add_argument("--memory", type=float, default=12, help="GiB that a measurement may take")
    parser.add_argument("--gather", type=float, default=2, help="GiB of weights that batched_mm may copy")
    parser.add_argument(
        "--gflop", type=float, default=150, help="cap of tokens: arithmetic of one forward pass"
    )
    parser.add_argument(
        "--train-from", type=int, default=512, help="tokens from which the backward pass is measured too"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--deepspeed", action="store_true", help="include it, from .cache/bench-deepspeed")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run, not how fast is it")
    parser.add_argument("--out", help="also write the JSON here")
    parser.add_argument("--table", help="also write the numbers as Markdown tables here")
    options = parser.parse_args(arguments)
    if options.quick:
        options.hidden, options.tokens, options.train_from = [32], [2, 16], 16
        options.repeats, options.seconds = 2, 1.0
    if min(options.hidden + options.tokens + [options.repeats, options.threads]) < 1:
        parser.error("--hidden, --tokens, --repeats and --threads must be positive")
    return options


def machine() -> dict[str, Any]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        info = {key.strip(): value.strip() for key, value in info.items()}
    except OSError:  # no Linux
        info = {}
    flags = set(info.get("flags", "").split())
    return {
        "cpu": info.get("model name", platform.processor()),
        "flags": [flag for flag in CPU_FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "load_average_before": os.getloadavg(),
        "python": platform.python_version(),
    }


def measure_all(options: argparse.Namespace, deepspeed: bool) -> list[dict[str, Any]]:
    cells = []
    for hidden in options.hidden:
        for dtype in options.dtype:
            weights = Weights(hidden, width_for(hidden), dtype)
            layers = build_layers(weights, tuple(options.kernels), deepspeed=deepspeed)
            per_token = 6 * TOP_K * hidden * weights.width
            cap = max(1, 2 ** int(math.log2(options.gflop * 1e9 / per_token)))
            for tokens in sorted({min(tokens, cap) for tokens in options.tokens}):
                # Training runs on many tokens; where they were capped, the largest number left stands for it.
                trains = tokens >= min(options.train_from, cap)
                passes = (FORWARD, BACKWARD) if trains else (FORWARD,)
                for name in passes if dtype != "amp" else passes[1:]:  # answering needs no autocast
                    cells.append(measure_in_quiet(options, weights, layers, tokens, name))
                    ratios = [f"{row['name']} {row['ratio_to_dense']}" for row in timed(cells[-1])]
                    print(
                        hidden,
                        dtype,
                        tokens,
                        name,
                        cells[-1]["other_load"],
                        *ratios,
                        sep="  ",
                        file=sys.stderr,
                        flush=True,
                    )
    return cells


def measure_in_quiet(options: argparse.Namespace, *what: Any) -> dict[str, Any]:
    """A cell, measured again while other programs work too and `--patience` lasts; the quietest attempt counts."""
    deadline = time.perf_counter() + options.patience
    quietest = measure_cell(options, *what)
    while (quietest["other_load"] or 0) > QUIET and time.perf_counter() < deadline:
        quietest = min(quietest, measure_cell(options, *what), key=lambda cell: cell["other_load"])
    return quietest


def cpu_seconds_of_others() -> float | None:
    """Time that all cores together have spent on other processes than this one; only differences mean anything."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    except OSError:  # no Linux
        return None
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, fields[:8])
    busy = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
    return busy - time.process_time()


def measure_cell(
    options: argparse.Namespace, weights: Weights, layers: list[Layer], tokens: int, name: str
) -> dict[str, Any]:
    """One table row: all layers on the same tokens, first compared, then timed in turns."""
    x_1TD = weights.tokens(tokens)
    backward = name == BACKWARD
    rows: dict[str, dict[str, Any]] = {}
    runnable: list[Layer] = []
    reference: tuple[Layer, Tensor] | None = None
    inner: dict[str, int] = {}
    for layer in layers:
        rows[layer.name] = {"name": layer.name}
        if reason := too_large(options, weights, layer, tokens, backward):
            rows[layer.name]["skipped"] = reason
            continue
        for _ in range(2):  # the first call also prepares memory and kernels
            start = time.perf_counter()
            result = one_pass(layer, x_1TD, weights.dtype, backward)
            inner[layer.name] = math.ceil(SHORTEST_SAMPLE / (time.perf_counter() - start))
            if inner[layer.name] == 1:
                break
        if layer.name != "dense":
            reference = reference or (layer, result)
            rows[layer.name].update(compare(layer, result, *reference, x_1TD, weights.dtype))
            if rows[layer.name]["max_relative_diff"] > TOLERANCE[weights.dtype]:
                rows[layer.name]["skipped"] = f"differs from {reference[0].name}: not timed"
                continue
        runnable.append(layer)
    samples: dict[str, list[float]] = {layer.name: [] for layer in runnable}
    started, others = time.perf_counter(), cpu_seconds_of_others()
    deadline = started + options.seconds
    for turn in range(options.repeats):
        if turn >= 2 and time.perf_counter() > deadline:
            break
        for layer in runnable:
            start = time.perf_counter()
            for _ in range(inner[layer.name]):
                one_pass(layer, x_1TD, weights.dtype, backward)
            samples[layer.name].append((time.perf_counter() - start) / inner[layer.name] * 1e3)
    elapsed = time.perf_counter() - started
    other_load = None
    if others is not None:
        other_load = round(max(0.0, (cpu_seconds_of_others() or others) - others) / elapsed, 2)
    for label, times in samples.items():
        rows[label].update(
            min_ms=round(min(times), 4),
            median_ms=round(statistics.median(times), 4),
            ratio_to_dense=round(statistics.median(times) / statistics.median(samples["dense"]), 3),
        )
    return {
        "hidden": weights.hidden,
        "width": weights.width,
        "dtype": weights.dtype,
        "tokens": tokens,
        "pass": name,
        "rounds": len(samples["dense"]),
        "other_load": other_load,  # cores that other programs kept busy meanwhile
        "gflop": round(6 * TOP_K * weights.hidden * weights.width * tokens * (3 if backward else 1) / 1e9, 3),
        "rows": list(rows.values()),
    }


def too_large(
    options: argparse.Namespace, weights: Weights, layer: Layer, tokens: int, backward: bool
) -> str | None:
    if layer.kernel == "batched_mm":
        gathered = weights.extra_bytes("batched_mm", False, tokens) / GIB
        if gathered > options.gather:
            return f"would copy {gathered:.1f} GiB of weights (limit {options.gather:g})"
    # The dense layer's weights stay in memory beside the mixtures' all the time.
    held = weights.expert_bytes * (1 + TOP_K / EXPERTS)
    need = (held + weights.extra_bytes(layer.kernel, backward, tokens)) / GIB
    return f"would take {need:.1f} GiB (limit {options.memory:g})" if need > options.memory else None


def one_pass(layer: Layer, x_1TD: Tensor, dtype: str, backward: bool) -> Tensor:
    """The output (1, T, D); with `backward` the gradient of the input, after gradients of all weights as well."""
    if not backward:
        with torch.no_grad(), autocast(dtype):
            return layer.run(x_1TD)
    x_1TD = x_1TD.detach().requires_grad_()
    with autocast(dtype):
        y_1TD = layer.run(x_1TD)
    # Ones would be orthogonal to hardly anything of interest; the input itself is as good a gradient as any.
    return torch.autograd.grad(y_1TD, [x_1TD, *layer.parameters], x_1TD.detach().to(y_1TD.dtype))[0]


def compare(
    layer: Layer, result: Tensor, reference: Layer, expected: Tensor, x_1TD: Tensor, dtype: str
) -> dict[str, Any]:
    """Largest deviation over the tokens that both routers sent to the same experts.

    In bfloat16 other routers round their logits and SkyMoE's does not, so near ties fall differently; how many is
    reported beside.
    """
    same = torch.ones(x_1TD.shape[1], dtype=torch.bool)
    if layer.route and reference.route:
        with torch.no_grad(), autocast(dtype):
            first, second = (one.route(x_1TD).sort(dim=-1).values for one in (layer, reference) if one.route)
        same = (first == second).all(dim=-1)
    difference = (result - expected).float().abs()[0, same]
    largest = difference.max().item() if same.any() else 0.0
    return {
        "max_abs_diff": largest,
        "max_relative_diff": largest / max(expected.float().abs().max().item(), 1e-30),
        "tokens_routed_differently": int((~same).sum()),
    }


def timed(cell: dict[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    return [row for row in cell["rows"] if "median_ms" in row and row["name"].startswith(prefix)]


def best_kernel(cell: dict[str, Any]) -> dict[str, Any]:
    """The fastest of our block's kernels in a cell and by how much the next one is slower."""
    first, second, *_ = sorted(timed(cell, "skymoe/"), key=lambda row: row["median_ms"])
    keys = ("hidden", "dtype", "tokens", "pass")
    lead = round(second["median_ms"] / first["median_ms"], 3)
    return {**{key: cell[key] for key in keys}, "kernel": first["name"].split("/")[1], "lead": lead}


def table(cells: list[dict[str, Any]]) -> str:
    """Markdown: a line per cell, the dense layer in milliseconds, the others as multiples of it."""
    names = list(
        dict.fromkeys(row["name"] for cell in cells for row in cell["rows"] if row["name"] != "dense")
    )
    lines = [f"| hidden → width | dtype | tokens | pass | others | dense, ms | {' | '.join(names)} |"]
    lines.append("|" + " --- |" * (6 + len(names)))
    for cell in cells:
        rows = {row["name"]: row for row in cell["rows"]}
        ours = [row["ratio_to_dense"] for row in timed(cell) if row["name"] != "dense"]
        marks = []
        for name in names:
            ratio = rows.get(name, {}).get("ratio_to_dense")
            bold = "**" if ratio is not None and ratio == min(ours) else ""
            marks.append("–" if ratio is None else f"{bold}{ratio:.2f}{bold}")
        shape = f"{cell['hidden']} → {cell['width']} | {cell['dtype']} | {cell['tokens']} | {cell['pass']}"
        lines.append(
            f"| {shape} | {cell['other_load']} | {rows['dense']['median_ms']:.3g} | {' | '.join(marks)} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
