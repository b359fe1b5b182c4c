"""The five counting benchmarks: numbers of objects, derived from boxes.

No list of the field's own questions is public. Here every class that a picture shows and that is annotated completely
in it is one question; `ids.txt` of a run names them.
"""

from __future__ import annotations

from dataclasses import replace

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import counted

HASHED = "the data set has no split: a fifth of its pictures, by a hash of their names"

_COUNTED = (
    Benchmark("rsod", "RSOD", "count", "rsod", counted, f"{HASHED}; one class a picture", published="RSOD"),
    Benchmark(
        "hrrsd", "HRRSD", "count", "hrrsd", counted, "official test split; vehicles are not asked, most have no box",
        published="HRRSD",
    ),
    Benchmark(
        "nwpu-vhr10", "NWPU VHR-10", "count", "nwpu-vhr10", counted, HASHED, published="NWPU-VHR", also=("nwpu-vhr",)
    ),
    Benchmark(
        "dota-v2", "DOTA-v2", "count", "dota", counted,
        "val, because the labels of test are not public; tiles of 1,024 px that overlap by 200, so the intervals are "
        "somewhat too narrow; a class with an object that a tile's edge cuts in half is not asked",
        options={"version": "2.0"}, splits={"test": "val"}, published="DOTAv2", also=("dotav2", "dota"),
    ),
    Benchmark(
        "visdrone", "VisDrone", "count", "visdrone", counted,
        "test-dev; pedestrians and people are persons, both kinds of tricycle are tricycles; pictures with areas "
        "that nobody annotated are cut to their largest part without",
        published="VisDrone",
    ),
)  # fmt: skip
COUNTING = tuple(replace(one, by_class=True) for one in _COUNTED)
