"""What should waiting threads do: spin or sleep, and how many should there be? Prints JSON.

    python benchmarks/threads.py [--model nano] [--rounds 3] [--samples 10] [--busy 1] [--out FILE]

Each way of waiting answers in fresh processes, as it is read when PyTorch is loaded: alone, and beside `--busy`
programs that do nothing but compute. The ways take turns, so that other load on the machine meets all of them alike.
Times are of answers to a picture the model sees for the first time, and of a training step (forward and backward, four
pictures, bfloat16 autocast). See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skymoe.waiting import DECIDED_BY

WAYS: dict[str, dict[str, str]] = {
    "libgomp's own": {"GOMP_SPINCOUNT": "300000"},
    "GOMP_SPINCOUNT=0": {"GOMP_SPINCOUNT": "0"},
    "GOMP_SPINCOUNT=2000": {"GOMP_SPINCOUNT": "2000"},
    "GOMP_SPINCOUNT=20000": {"GOMP_SPINCOUNT": "20000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "skymoe's default": {},
}
"""What each way has in its environment; "libgomp's own" is what it does where nothing is said, said aloud, because
`import skymoe` says something else."""
TASKS = ("classify", "caption", "count", "classify_32", "train_step")
_BUSY = "while True: pass"


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.child:
        print(json.dumps(answer_times(options.model, options.tasks, options.samples, options.most)))
        return 0
    before = os.getloadavg()[0]
    seconds = measure(options)
    report = {
        "benchmark": "threads",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "settings": {name: value for name, value in vars(options).items() if name not in ("child", "out")},
        "load_average_before": before,
        "rows": [
            row(where, way, task, times) for (where, way), by_task in seconds.items() for task, times in by_task.items()
        ],
    }  # fmt: skip
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n", encoding="utf-8")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each way")
    parser.add_argument("--samples", type=int, default=10, help="times each task is done in one of them")
    parser.add_argument("--most", type=float, default=15.0, help="seconds after which a task is done no more")
    parser.add_argument("--busy", type=int, default=1, help="programs beside it")
    parser.add_argument("--threads", type=int, help="default: as many as OpenMP takes")
    parser.add_argument("--only", choices=("alone", "beside"), help="only one of the conditions")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--out", help="also write the JSON here")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Seconds by condition and way, and task. Whoever runs the script may have set variables; no child gets them."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in (*DECIDED_BY, "OMP_NUM_THREADS")
    }
    inherited |= {"TRANSFORMERS_VERBOSITY": "error"} | (
        {"OMP_NUM_THREADS": str(options.threads)} if options.threads else {}
    )
    command = [sys.executable, __file__, "--child", "--model", options.model, "--samples", str(options.samples),
               "--most", str(options.most), "--tasks", *options.tasks]  # fmt: skip
    conditions = {"alone": 0, "beside": options.busy}
    seconds: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds):
        for where in [options.only] if options.only else conditions:
            for way, variables in WAYS.items():
                with busy_programs(conditions[where]):
                    done = subprocess.run(
                        command, env=inherited | variables, stdout=subprocess.PIPE, text=True, check=True
                    )
                found: dict[str, list[float]] = json.loads(done.stdout)
                said = ", ".join(f"{task} {1000 * statistics.median(its):.0f}" for task, its in found.items())
                print(f"round {number + 1}, {where}, {way}: {said} ms", file=sys.stderr)
                for task, its in found.items():
                    seconds[where, way][task] += its
    return seconds


@contextmanager
def busy_programs(number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many programs that compute and never wait, until the end of the block."""
    running = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(number)]
    try:
        yield running
    finally:
        for program in running:
            program.kill()
            program.wait()


def row(where: str, way: str, task: str, times: list[float]) -> dict[str, Any]:
    return {
        "where": where,
        "way": way,
        "task": task,
        "median_ms": round(1000 * statistics.median(times), 1),
        "least_ms": round(1000 * min(times), 1),
        "most_ms": round(1000 * max(times), 1),
        "times": len(times),
    }


def answer_times(model: str, tasks: list[str], samples: int, most: float) -> dict[str, list[float]]:
    """Seconds of each task in this process; the first of each is not counted, as it initialises what is lazy."""
    import skymoe
    from skymoe.demo import pictures
    from skymoe.engine.opened import opened

    engine = skymoe.load(model, device="cpu")
    picture = opened(pictures()[0])
    actions: dict[str, Callable[[], Any]] = {
        "classify": lambda: engine.classify(picture),
        "caption": lambda: engine.caption(picture),
        "count": lambda: engine.count(picture, "storage tank"),
    }
    if "classify_32" in tasks:
        many = batch(picture, 32)
        actions["classify_32"] = lambda: engine.classify(many)
    if "train_step" in tasks:
        actions["train_step"] = training_step(engine, picture)
    found: dict[str, list[float]] = {}
    for task in tasks:
        times: list[float] = []
        for number in range(samples + 1):
            engine.prefixes.clear()
            start = time.perf_counter()
            actions[task]()
            if number:
                times.append(time.perf_counter() - start)
            if sum(times) > most:
                break
        found[task] = times
    return found


def batch(picture: Any, size: int) -> list[Any]:
    """Pictures that differ by some noise: the same one would be encoded once."""
    import numpy as np
    from PIL import Image

    from skymoe.engine.opened import opened

    pixels = np.asarray(picture.picture.convert("RGB").resize((256, 256)))
    grain = np.random.default_rng(0).integers(0, 16, (size, *pixels.shape), dtype=np.uint8)
    return [opened(Image.fromarray(pixels ^ one)) for one in grain]


def training_step(engine: Any, picture: Any) -> Callable[[], None]:
    """Forward and backward through a copy of the model, so that answers stay those of the weights as they are."""
    import copy

    import torch

    from skymoe.tasks import Query, get_task

    model, processor = copy.deepcopy(engine.model).train().requires_grad_(True), engine.processor
    messages = get_task("caption").messages(Query("caption"))
    prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    text = prompt + "Many storage tanks stand beside a river." * 2
    inputs = processor(
        images=[picture.picture] * 4, text=[text] * 4, return_tensors="pt", add_special_tokens=False
    )

    def step() -> None:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**inputs, labels=inputs["input_ids"]).loss
        loss.backward()

    return step


if __name__ == "__main__":
    sys.exit(main())
