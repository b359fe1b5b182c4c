"""The full 7B × 8 configuration with random weights on one large GPU: one command, JSON and a block of Markdown.

    python benchmarks/full_scale.py --out full.json --markdown full.md        # an H200, 139 GiB; minutes
    python benchmarks/full_scale.py --tiny                                    # does it run? Any CPU, seconds

Answering: prefill of a picture and a question (TFLOP/s, tokens/s), the time of each token of an answer (the paper:
20.83 ms), the mixture against the dense 7B in the same run and turn by turn, the experts kernels. Training: a step of
stage II of the same model with as many layers as fit, its model-FLOP utilisation, planned memory against measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PARTS = ("answer", "train")
PAPER_TOKEN_MS = 20.83


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    if options.part:  # a process of its own, started below
        return run_part(options)
    report: dict[str, Any] = {
        "benchmark": "full_scale",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", "benchmarks/full_scale.py", *arguments]),
        "machine": machine(options.device),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "transformers")},
        "settings": {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(options).items()
            if name not in ("part", "result")
        },
        "parts": {},
    }
    for part in options.only:
        print(f"{part} …", file=sys.stderr, flush=True)
        report["parts"][part] = in_own_process(part, arguments)
        write(report, options)  # what is measured is kept, whatever becomes of the rest
    print(json.dumps(report, indent=1))
    print(markdown(report), file=sys.stderr)
    return 0 if any("failed" not in part for part in report["parts"].values()) else 1


def parse(arguments: list[str]) -> argparse.Namespace:
    import torch

    from skymoe.train.planning.known import GPUS
    from skymoe.train.planning.units import parse_rate, parse_size

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a tiny model in the same shape: does it run")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 8, 32], help="pictures answered at a time"
    )
    parser.add_argument("--new-tokens", type=int, default=64, help="tokens of an answer whose time is taken")
    parser.add_argument("--repeats", type=int, default=10, help="rounds in which everything runs once")
    parser.add_argument("--micro", type=int, default=4, help="samples of a training step")
    parser.add_argument(
        "--layers", type=int, default=32, help="decoder layers of the trained model at the most"
    )
    parser.add_argument("--memory", help="plan the training for this much (default: what is free)")
    parser.add_argument(
        "--peak", help="FLOP/s of bfloat16 as the maker states them (default: by the GPU's name)"
    )
    parser.add_argument("--out", type=Path, help="write the JSON here")
    parser.add_argument("--markdown", type=Path, help="write the block for docs/performance.md here")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.device == "cpu" and not options.tiny:
        parser.error("there is no GPU here: try --tiny, which says whether it runs")
    if options.tiny:
        options.batches, options.new_tokens, options.repeats, options.micro = [1, 2], 3, 2, 2
        options.layers = min(options.layers, 4)
    if min(*options.batches, options.new_tokens, options.repeats, options.micro) < 1 or options.layers < 2:
        parser.error("--batches, --new-tokens, --repeats and --micro must be positive, --layers at least 2")
    options.memory = parse_size(options.memory, "--memory") if options.memory else None
    name = gpu_name(options.device).lower()
    known = next((gpu.peak for kind, gpu in GPUS.items() if kind.split("-")[0] in name), None)
    options.peak = parse_rate(options.peak, "--peak") if options.peak else known
    return options


def gpu_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name() if device.startswith("cuda") else "no GPU"


def machine(device: str) -> dict[str, Any]:
    import torch

    told = {"gpu": gpu_name(device), "cores": os.cpu_count(), "system": platform.platform()}
    if device.startswith("cuda"):
        told["memory_gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
        told["cuda"] = torch.version.cuda
    return told


def in_own_process(part: str, arguments: list[str]) -> dict[str, Any]:
    """What a part found, or how it ended; its last words are kept."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "part.json"
        command = [sys.executable, __file__, *arguments, "--part", part, "--result", str(result)]
        done = subprocess.run(command, stderr=subprocess.PIPE, stdout=sys.stderr, text=True, check=False)
        if result.is_file():
            return dict(json.loads(result.read_text(encoding="utf-8")))
        words = done.stderr.strip().splitlines()[-1:] or [""]
        print(done.stderr[-4000:], file=sys.stderr)
        return {"failed": f"ended with {done.returncode}: {words[0][:300]}"}


def run_part(options: argparse.Namespace) -> int:
    import _full_scale_parts as parts

    found = parts.tried(lambda: parts.PARTS[options.part](options))
    options.result.write_text(json.dumps(found), encoding="utf-8")
    return 0


def write(report: dict[str, Any], options: argparse.Namespace) -> None:
    for path, text in (
        (options.out, json.dumps(report, indent=1)),
        (options.markdown, markdown(report)),
    ):
        if path:
            path.write_text(text + "\n", encoding="utf-8")


def markdown(report: dict[str, Any]) -> str:
    """The block for docs/performance.md: command, date, machine, versions, then a table for each part."""
    told, versions = report["machine"], report["versions"]
    lines = [
        f"`{report['command']}`, {report['date'][:10]}: {told['gpu']}, {told['cores']} cores, "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + (f", CUDA {told['cuda']}" if told.get("cuda") else "")
        + ". Random weights.",
        "",
    ]
    for name, part in report["parts"].items():
        trouble = part.get("failed") or part.get("skipped")
        lines += [f"{name}: {trouble}", ""] if trouble else TABLES[name](part)
    return "\n".join(lines).rstrip()


def answer_table(part: dict[str, Any]) -> list[str]:
    theory = part["theory"]
    lines = [
        f"Prefill of {part['prompt_tokens']:,} tokens a picture (theory: {theory['prefill_ratio']:.2f} times the dense "
        f"model's arithmetic), and each further token (the paper: {PAPER_TOKEN_MS} ms; "
        f"{theory['weights_read_ratio_at_batch_1']:.2f} times the weights are read at batch 1).",
        "",
        "| batch | model/kernel | prefill, ms | TFLOP/s | tokens/s | of peak | × dense "
        "| a token, ms | tokens/s | × dense |",
        "| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for first, then in zip(part["prefill"], part["decode"], strict=False):
        trouble = [row.get("failed") or row.get("skipped") for row in (first, then)]
        if any(trouble):
            lines.append(f"| {first['batch']} | {'; '.join(filter(None, trouble))} |" + " |" * 8)
        filled, spoken = first.get("rows", {}), then.get("rows", {})
        for name in {**filled, **spoken}:
            one, other = filled.get(name, {}), spoken.get(name, {})
            cells = [
                number(one, "median_ms", 1), number(one, "tflop_per_s", 0), number(one, "tokens_per_s", 0),
                number(one, "of_peak", 2), number(one, "ratio_to_dense", 2), number(other, "median_ms", 2),
                number(other, "tokens_per_s", 0), number(other, "ratio_to_dense", 2),
            ]  # fmt: skip
            lines.append(f"| {first['batch']} | {name} | " + " | ".join(cells) + " |")
    peak = part.get("peak_gib")
    return [*lines, "", *([f"Peak {peak:.1f} GiB.", ""] if peak else [])]


def train_table(part: dict[str, Any]) -> list[str]:
    lines = [
        f"A step of stage II (experts and routers learn, AdamW, gradient checkpointing) of the same model with "
        f"{part['layers']} of {part['layers_of_the_whole']} layers ({part['parameters'] / 1e9:.2f} B parameters), "
        f"{part['micro_batch']} pictures, {part['tokens']:,} tokens; planned peak {part['planned_peak_gib']:.1f} GiB.",
        "",
        "| kernel | step, ms | tokens/s | model TFLOP/s | MFU | with recomputation | peak, GiB |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for kernel, row in part["rows"].items():
        cells = [
            number(row, "median_ms", 0), number(row, "tokens_per_s", 0), number(row, "model_tflop_per_s", 0),
            number(row, "mfu", 2), number(row, "hfu", 2), number(row, "peak_gib", 1),
        ]  # fmt: skip
        lines.append(f"| {kernel} | " + (row.get("failed") or " | ".join(cells)) + " |")
    best = max((row.get("model_tflop_per_s", 0) for row in part["rows"].values()), default=0)
    if best >= 1:
        lines += ["", f"`skymoe plan skymoe-7b-stage2 --gpus 8 --flops {best:.0f}T` plans with that rate."]
    return [*lines, ""]


def number(row: dict[str, Any], key: str, digits: int) -> str:
    value = row.get(key)
    return "–" if value is None else f"{value:,.{digits}f}"


TABLES = {"answer": answer_table, "train": train_table}

if __name__ == "__main__":
    raise SystemExit(main())
