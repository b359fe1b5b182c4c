"""How well does `skymoe plan` predict? Prints JSON.

    python benchmarks/plan.py [--hidden 256] [--device cuda] [--quick] [--out FILE]

Small models, dense and with experts, are built with random weights and really trained for two steps each; predicted
and measured are compared: parameters, FLOP (PyTorch's counter), and the peak of memory (the allocator's on a GPU, the
sum of PyTorch's own allocations on a CPU). See benchmarks/README.md for what the numbers mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop, sdpa_flop

from skymoe.train.planning.architecture import Architecture, architecture
from skymoe.train.planning.memory import Estimator, Layout
from skymoe.train.planning.rehearsal import Rehearsal
from skymoe.train.planning.schedule import arithmetic
from skymoe.train.planning.stage import PRECISIONS, StageSettings, parameters

EXPERTS = (".mlp.experts.", ".mlp.router.")
# (name, experts, what trains, experts kernel, precision, checkpointing, micro-batches a step)
CASES = (
    ("dense", 0, None, "grouped_mm", "fp32", False, 1),
    ("dense", 0, None, "grouped_mm", "fp32", True, 2),
    ("dense", 0, None, "grouped_mm", "bf16-autocast", False, 1),
    ("experts", 4, EXPERTS, "grouped_mm", "fp32", False, 1),
    ("experts", 4, EXPERTS, "grouped_mm", "fp32", True, 2),
    ("experts", 4, EXPERTS, "eager", "fp32", False, 1),
    ("experts", 4, EXPERTS, "grouped_mm", "bf16", False, 1),
    ("experts", 4, EXPERTS, "grouped_mm", "bf16", True, 2),
    ("experts", 4, None, "grouped_mm", "pure-bf16", True, 1),
    ("experts", 4, None, "eager", "bf16-autocast", False, 1),
)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    torch.set_num_threads(options.threads)
    rows = []
    for row in measure_all(options):
        rows.append(row)
        print(
            f"{row['case']}: peak {row['predicted_peak'] / 2**20:.1f} MiB predicted, "
            f"{row['measured_peak'] / 2**20:.1f} measured (×{row['peak_ratio']})",
            file=sys.stderr,
        )
    ratios = [row["peak_ratio"] for row in rows]
    report = {
        "benchmark": "plan",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(
            ["python", "benchmarks/plan.py", *(sys.argv[1:] if arguments is None else arguments)]
        ),
        "machine": {
            "device": torch.cuda.get_device_name()
            if options.device == "cuda"
            else platform.processor() or "cpu",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "settings": vars(options),
        "rows": rows,
        "peak_ratio": {"least": min(ratios), "most": max(ratios)},
        "parameters_equal": all(row["parameters_equal"] for row in rows),
        "flop_equal": all(row["flop_equal"] for row in rows if row["flop_equal"] is not None),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n", encoding="utf-8")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=256, help="hidden size; all other sizes follow")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--micro", type=int, default=4, help="samples at a time")
    parser.add_argument("--text", type=int, default=128, help="tokens beside the picture's")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: does it run, not how well does it predict"
    )
    parser.add_argument("--out", help="also write the JSON here")
    options = parser.parse_args(arguments)
    if options.quick:
        options.hidden, options.layers, options.micro, options.text = 64, 3, 2, 48
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU here")
    return options


def small(hidden: int, layers: int, experts: int) -> Architecture:
    """A SkyMoE as the large one, `hidden` wide: Llama decoder, CLIP tower, experts in every second layer."""
    text = {
        "model_type": "llama", "vocab_size": 512, "hidden_size": hidden, "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers, "num_attention_heads": hidden // 32, "num_key_value_heads": hidden // 32,
        "max_position_embeddings": 4096, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    vision = {
        "model_type": "clip_vision_model", "hidden_size": hidden // 2, "intermediate_size": 2 * hidden,
        "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 112, "patch_size": 14,
    }  # fmt: skip
    config = {"model_type": "skymoe", "text_config": text, "vision_config": vision, "num_experts": experts}
    return architecture(config | {"image_token_index": 511}, f"{hidden} wide")


def measure_all(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for name, experts, trains, kernel, precision, checkpointing, accumulation in CASES:
        stage = StageSettings(
            name, small(options.hidden, options.layers, experts), options.micro * accumulation, trains=trains, steps=1,
            text_tokens=options.text, answer_tokens=options.text // 4, precision=PRECISIONS[precision], kernel=kernel,
        )  # fmt: skip
        yield measure(stage, options.micro, accumulation, checkpointing, options.device)


def measure(
    stage: StageSettings, micro: int, accumulation: int, checkpointing: bool, device: str = "cpu"
) -> dict[str, Any]:
    """One comparison; bytes and FLOP of an optimizer step."""
    rehearsal = Rehearsal(stage, micro, accumulation, checkpointing, device)
    predicted = Estimator(stage).memory(Layout("ddp", 1), micro, checkpointing, accumulation > 1)
    peak = rehearsal.peak()
    counted = parameters(stage)
    flop, flop_equal = None, None
    if (
        stage.kernel == "eager" or not stage.architecture.experts
    ):  # grouped matrices are unknown to the counter
        flop = counted_flop(rehearsal)
        flop_equal = abs(arithmetic(stage).total(checkpointing) / flop - 1) < 1e-9
    total = sum(weight.numel() for weight in rehearsal.model.parameters())
    trained = sum(weight.numel() for weight in rehearsal.trained)
    again = "checkpointed" if checkpointing else "kept"
    kernel = f", {stage.kernel}" if stage.architecture.experts else ""
    learns = "all" if stage.trains is None else "experts"
    return {
        "case": f"{stage.name}, {learns} train{kernel}, {stage.precision.name}, {again}, {micro} × {accumulation}",
        "parameters": counted.total,
        "trained": counted.trained,
        "parameters_equal": (counted.total, counted.trained) == (total, trained),
        "predicted_flop": arithmetic(stage).total(checkpointing),
        "counted_flop": flop,
        "flop_equal": flop_equal,
        "predicted_peak": predicted.peak,
        "measured_peak": peak,
        "peak_ratio": round(predicted.peak / peak, 3),
        "state": predicted.state,
        "worst": predicted.worst,
    }


def counted_flop(rehearsal: Rehearsal) -> int:
    """FLOP of a step by PyTorch's counter, which does not know the CPU's fused attention by itself."""

    def forward(q: Any, k: Any, v: Any, *rest: Any, **options: Any) -> int:
        return sdpa_flop(q, k, v)

    def backward(grad: Any, q: Any, k: Any, v: Any, *rest: Any, **options: Any) -> int:
        return sdpa_backward_flop(grad, q, k, v)

    aten = torch.ops.aten
    known = {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        rehearsal.step()
    return int(counter.get_total_flops())


if __name__ == "__main__":
    sys.exit(main())
