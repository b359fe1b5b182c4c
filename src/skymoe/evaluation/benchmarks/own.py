"""The benchmarks that nano is judged by besides those of the paper: test splits of what it was trained on."""

from __future__ import annotations

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import count_of, expressions, official

TILES = (
    "tiles of five scales from 9 whole test scenes; they overlap, so the intervals are somewhat too narrow"
)
RSICD = "RSICD (1,027 of 1,093 test images, 150 px source): the other 66 have no picture here"
RSICD_SIZES = {"train": 8734, "val": 1094, "test": 1093}

OWN = (
    Benchmark(
        "ucm-scenes", "UC Merced (caption test pictures)", "classify", "ucm-captions", official("classify"),
        "21 classes; test split of UCM-Captions",
    ),
    Benchmark(
        "rsivqa-ucm", "RSIVQA, human questions on UC Merced", "vqa", "rsivqa-ucm", official("vqa"),
        "pictures of UCM-Captions' test split; questions without an object's name are official and stay",
    ),
    Benchmark(
        "rsivqa-ucm-themes", "RSIVQA, themes on UC Merced", "vqa", "rsivqa-ucm-themes", official("vqa"),
        "test split of UCM-Captions",
    ),
    Benchmark(
        "rsivqa-rsicd-themes", "RSIVQA, themes on RSICD", "vqa", "rsivqa-rsicd-themes", official("vqa"), RSICD,
        RSICD_SIZES,
    ),
    Benchmark("airbus-count", "Airbus tanks, counting", "count", "airbus-oil-storage", count_of("storage tank"), TILES),
    Benchmark(
        "airbus-ground", "Airbus tanks, grounding", "ground", "airbus-oil-storage", expressions(3),
        f"at most three derived expressions a tile, each of another tank; {TILES}",
    ),
)  # fmt: skip
