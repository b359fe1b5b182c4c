"""The question benchmarks: RSVQA, low and high resolution.

Answers are judged as the data sets are: counts of LR and areas of HR by their class (0 · 1–10 · 11–100 · 101–1000 ·
more), counts of HR exactly. All types are asked; the tables of some papers leave count and area out, so the types
stand beside both aggregates.
"""

from __future__ import annotations

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import official

HR_NOTE = "all types are asked; areas are judged by their class, counts exactly"

QUESTIONS = (
    Benchmark(
        "rsvqa-lr", "RSVQA-LR", "vqa", "rsvqa-lr", official("vqa"),
        "official test split; all types are asked, counts are judged by their class; half of it can be answered blind",
        questions={"train": 57223, "val": 10005, "test": 10004},
        published="RSVQA-LR",
    ),
    Benchmark(
        "rsvqa-hr", "RSVQA-HR", "vqa", "rsvqa-hr", official("vqa"), f"official test split; {HR_NOTE}",
        questions={"train": 625340, "val": 102843, "test": 222684}, published="RSVQA-HR",
    ),
    Benchmark(
        "rsvqa-hr-2", "RSVQA-HR, test 2 (Philadelphia)", "vqa", "rsvqa-hr", official("vqa"),
        f"the data set's second test split, another city and sensor; {HR_NOTE}", questions={"test": 105647},
        splits={"test": "test_2"},
    ),
)  # fmt: skip
