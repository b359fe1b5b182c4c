"""MGRS-Bench, or one in its style: five tasks on one set of pictures.

The paper's own is not public. `MGRS-Bench/samples.jsonl` below the data folder, in the project's own form with its
pictures beside it, is read where somebody has one; whose it is stands in its samples.
"""

from __future__ import annotations

from skymoe.evaluation.benchmarks.base import Benchmark, Chooser
from skymoe.evaluation.benchmarks.choosing import counted, official, referring

FOLDER = "MGRS-Bench"
NOTE = "the set in MGRS-Bench/; the paper's own is not public, so numbers on another one are not comparable with it"
_ASKED: dict[str, tuple[str, Chooser]] = {
    "caption": ("captioning", official("caption")),
    "vqa": ("questions", official("vqa")),
    "ground": ("grounding", referring),
    "count": ("counting", counted),
    "classify": ("scenes", official("classify")),
}

MGRS = tuple(
    Benchmark(
        f"mgrs-{task}", f"MGRS-Bench, {what}", task, "samples", choose, NOTE, folder=FOLDER, published=FOLDER,
        by_class=task == "count",
    )
    for task, (what, choose) in _ASKED.items()
)  # fmt: skip
