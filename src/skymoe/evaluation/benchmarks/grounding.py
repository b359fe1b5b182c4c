"""The five grounding benchmarks: every expression of the official test splits.

Published numbers count phrases that fit several objects, so they are asked, too (`ambiguous`); what has no box at all
cannot be, and the official number then stands beside ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from skymoe.evaluation.benchmarks.base import Benchmark
from skymoe.evaluation.benchmarks.choosing import referring


def _grounding(
    name: str,
    title: str,
    note: str,
    questions: Mapping[str, int] | None = None,
) -> Benchmark:
    return Benchmark(
        name, title, "ground", name, referring, note, questions=questions or {},
        options={"ambiguous": True}, published=title,
    )  # fmt: skip


GROUNDING = (
    _grounding(
        "dior-rsvg", "DIOR-RSVG", "official test split, which is by object: its pictures may be in train with others",
        {"train": 26991, "val": 3829, "test": 7500},
    ),
    _grounding("rsvg", "RSVG", "official test split", {"train": 5505, "val": 1201, "test": 1227}),
    _grounding(
        "avvg", "AVVG", "official test split; phrases for several vehicles are asked for each of them",
        {"train": 26482},
    ),
    _grounding(
        "rrsis-d", "RRSIS-D", "official test split; the box is that of the mask",
        {"train": 12181, "val": 1740, "test": 3481},
    ),
    _grounding(
        "vrsbench", "VRSBench", "the official part \"val\", on which all published numbers are; 13 boxes have no area",
        {"test": 16159},
    ),
)  # fmt: skip
