"""The three scene benchmarks. None has an official split: each note says which pictures are asked."""

from __future__ import annotations

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import official

SCENES = (
    Benchmark(
        "resisc45", "NWPU-RESISC45", "classify", "resisc45", official("classify"),
        "45 classes; 80 % of every class, by a hash; no official split", {"train": 5670, "val": 630, "test": 25200},
        published="RESISC45", also=("nwpu-resisc45",),
    ),
    Benchmark(
        "aid-rsicd-test", "AID (RSICD test pictures)", "classify", "aid", official("classify"),
        "30 classes; the full AID pictures (150 px) of RSICD's test split", published="AID", also=("aid",),
    ),
    Benchmark(
        "whu-rs19", "WHU-RS19", "classify", "whu-rs19", official("classify"),
        "19 classes; 40 % of every class, by a hash; no official split", {"train": 545, "val": 59, "test": 401},
        published="WHU-RS19",
    ),
)  # fmt: skip
