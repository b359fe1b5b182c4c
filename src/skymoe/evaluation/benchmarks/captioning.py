"""The five captioning benchmarks: official test splits, all captions as references."""

from __future__ import annotations

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import official
from skymoe.evaluation.benchmarks.own import RSICD, RSICD_SIZES

CAPTIONING = (
    Benchmark(
        "ucm-captions", "UCM-Captions", "caption", "ucm-captions", official("caption"), "official test split",
        published="UCM-Captions",
    ),
    Benchmark(
        "sydney-captions", "Sydney-Captions", "caption", "sydney-captions", official("caption"),
        "official test split, 58 pictures: wide intervals", {"train": 497, "val": 58, "test": 58},
        published="Sydney-Captions",
    ),
    Benchmark(
        "rsicd", "RSICD", "caption", "rsicd", official("caption"), RSICD, RSICD_SIZES, published="RSICD",
    ),
    Benchmark(
        "rsitmd", "RSITMD", "caption", "rsitmd", official("caption"),
        "official test split; many of its pictures are RSICD's, on either side of its split",
        {"train": 4291, "test": 452}, published="RSITMD",
    ),
    Benchmark(
        "nwpu-captions", "NWPU-Captions", "caption", "nwpu-captions", official("caption"), "official test split",
        {"train": 25200, "val": 3150, "test": 3150}, published="NWPU-Captions",
    ),
)  # fmt: skip
