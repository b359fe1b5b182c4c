"""What scoring captions gives, by either protocol."""

from __future__ import annotations

from dataclasses import dataclass, field

from skymoe.evaluation.intervals import Metrics


@dataclass(frozen=True)
class CaptionScores:
    """``per_image``: one value an image, in the order given; ``notes``: what is missing or approximate, and why."""

    metrics: Metrics
    per_image: dict[str, list[float]]
    notes: dict[str, str] = field(default_factory=dict)
