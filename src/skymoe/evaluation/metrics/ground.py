"""Visual grounding: accuracy at IoU ≥ 0.5 and ≥ 0.7, mean and cumulative IoU; boxes in pixels.

There is one box a query and no score to rank by, so the literature's "mAP@0.5" is this Acc@0.5. The first metric is
that of horizontal boxes: of a turned answer the horizontal box around it counts. The second, where outlines are given,
is the exact overlap of the polygons.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skymoe.boxes import Box, iou, oriented_box, polygon_iou
from skymoe.evaluation.intervals import Array, Metrics, bootstrap, mean, wilson
from skymoe.evaluation.metrics.groups import by_group
from skymoe.sample import XYXY

THRESHOLDS = (0.5, 0.7)
ALIASES = {f"mAP@{threshold}": f"acc@{threshold}" for threshold in THRESHOLDS}
"""What papers call the accuracies."""
SMALL, LARGE = 32.0**2, 96.0**2
"""COCO's limits of size groups, in square pixels."""


def overlaps(predictions: Sequence[XYXY | None], references: Sequence[XYXY]) -> list[float]:
    """The IoU of every pair; 0 where there is no predicted box."""
    pairs = zip(predictions, references, strict=True)
    return [0.0 if predicted is None else iou(predicted, reference) for predicted, reference in pairs]


def score(predictions: Sequence[XYXY | None], references: Sequence[XYXY], *, seed: int = 0) -> Metrics:
    """None stands for an answer without a box: wrong, with IoU 0, its reference's area in the union.

    ``cum_iou`` is the sum of all intersections over the sum of all unions (cumIoU of the DIOR-RSVG paper): large
    objects weigh more in it.
    """
    found = overlaps(predictions, references)
    shared = _areas(predictions, references)
    return {
        **_rates(found, ""),
        "miou": mean(found, seed=seed),
        "cum_iou": bootstrap(shared, _ratio, seed=seed),
    }


def rotated_overlaps(
    predictions: Sequence[Box | None], references: Sequence[Box | Sequence[float]]
) -> list[float]:
    """The exact IoU of turned boxes; a reference is a box or an outline x1, y1, x2, y2, … in pixels.

    A quadrangle is taken as it is; of any other outline (a mask's) the smallest rectangle around it, for the answer can
    only be a rectangle.
    """
    found = []
    for predicted, reference in zip(predictions, references, strict=True):
        if predicted is None:
            found.append(0.0)
        elif isinstance(reference, Box) and predicted.angle == reference.angle == 0:
            found.append(iou(predicted.xyxy, reference.xyxy))
        else:
            outline = reference.polygon() if isinstance(reference, Box) else _box_like(reference)
            found.append(polygon_iou(predicted.polygon(), outline))
    return found


def rotated(
    predictions: Sequence[Box | None], references: Sequence[Box | Sequence[float]], *, seed: int = 0
) -> Metrics:
    """The second metric: ``rotated_acc@0.5``, ``rotated_acc@0.7``, ``rotated_miou`` by :func:`rotated_overlaps`."""
    found = rotated_overlaps(predictions, references)
    return {**_rates(found, "rotated_"), "rotated_miou": mean(found, seed=seed)}


def size_group(box: XYXY) -> str:
    """ "small" below 32² pixels, "large" from 96², "medium" between: COCO's groups, by the reference's area."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return "small" if area < SMALL else "medium" if area < LARGE else "large"


def by_size(
    predictions: Sequence[XYXY | None], references: Sequence[XYXY], *, seed: int = 0
) -> dict[str, Metrics]:
    """The metrics of each size group that occurs, small ones first."""
    found = by_group(score, list(map(size_group, references)), predictions, references, seed=seed)
    return {name: found[name] for name in ("small", "medium", "large") if name in found}


def _box_like(outline: Sequence[float]) -> Sequence[float]:
    points = [(outline[i], outline[i + 1]) for i in range(0, len(outline), 2)]
    corners = zip(points, points[1:] + points[:1], points[2:] + points[:2], strict=True)
    turns = [(b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) for a, b, c in corners]
    convex = all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns)
    return outline if len(points) == 4 and convex else oriented_box(outline).polygon()


def _rates(found: Sequence[float], prefix: str) -> Metrics:
    return {
        f"{prefix}acc@{limit}": wilson(sum(value >= limit for value in found), len(found))
        for limit in THRESHOLDS
    }


def _areas(predictions: Sequence[XYXY | None], references: Sequence[XYXY]) -> Array:
    """(n, 2): intersection and union of every pair, square pixels."""
    wanted = np.array(references, dtype=np.float64).reshape(-1, 4)
    # A box without area stands for none.
    given = np.array([box or (0.0,) * 4 for box in predictions], dtype=np.float64).reshape(-1, 4)
    low, high = np.maximum(given[:, :2], wanted[:, :2]), np.minimum(given[:, 2:], wanted[:, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    union = (given[:, 2:] - given[:, :2]).prod(axis=1) + (wanted[:, 2:] - wanted[:, :2]).prod(axis=1) - shared
    return np.stack([shared, union], axis=1)


def _ratio(sums: Array) -> Array:
    return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
