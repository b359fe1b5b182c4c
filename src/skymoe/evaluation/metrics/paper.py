"""The `paper` protocol: the presumable rules behind the SkyMoE paper's tables, for comparison with those tables only.

The paper does not give its rules; these follow from a public test harness of the same group and from the arithmetic of
its tables, not from proof. They are lenient or plainly wrong where the standard metrics are not, so numbers of the two
protocols never belong into one table:

- captions: BLEU over characters, averaged over images; METEOR and ROUGE-L by other programs than COCO's
- questions and scenes: right if the lower-cased answer contains the reference, anywhere ("not a river" is "river")
- boxes: x1, y1, x2, y2 read as x, y, width, height
- counts: the first digits in the answer, else its first number word up to ten
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skymoe.evaluation.intervals import Metrics, mean_of_groups, wilson
from skymoe.evaluation.metrics import count as standard_count
from skymoe.evaluation.metrics import ground as standard_ground
from skymoe.evaluation.metrics import vqa as standard_vqa
from skymoe.evaluation.metrics.caption_scores import CaptionScores
from skymoe.evaluation.metrics.paper_captions import evaluate as caption
from skymoe.sample import XYXY

__all__ = [
    "CaptionScores",
    "by_kind",
    "caption",
    "classify",
    "contains",
    "count",
    "ground",
    "number",
    "overlaps",
    "vqa",
]

LABEL = "presumable rules of the SkyMoE paper; for comparison with its tables only"
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b")
_DIGITS = re.compile(r"[0-9]{1,18}")


def contains(prediction: str, reference: str) -> bool:
    """Whether the lower-cased answer contains the lower-cased reference; an empty reference is never contained."""
    wanted = reference.strip().lower()
    return bool(wanted) and wanted in prediction.lower()


def vqa(
    predictions: Sequence[str], references: Sequence[str], kinds: Sequence[str], *, seed: int = 0
) -> Metrics:
    """``oa`` and ``aa`` as in :func:`skymoe.evaluation.metrics.vqa.score`, by :func:`contains` on the raw texts."""
    return standard_vqa.aggregates(_contained(predictions, references), kinds, seed=seed)


def by_kind(
    predictions: Sequence[str], references: Sequence[str], kinds: Sequence[str]
) -> dict[str, Metrics]:
    """The accuracy of every question type (or class), by :func:`contains` on the raw texts."""
    return standard_vqa.accuracy_by(_contained(predictions, references), kinds)


def classify(predictions: Sequence[str], references: Sequence[str], *, seed: int = 0) -> Metrics:
    """``accuracy`` and ``mean_class_recall`` by :func:`contains` on the raw texts."""
    right = _contained(predictions, references)
    return {
        "accuracy": wilson(sum(right), len(right)),
        "mean_class_recall": mean_of_groups(right, references, seed=seed),
    }


def number(prediction: str) -> int | None:
    """The count that an answer gives: its first digits ("1,234" is 1), else its first number word up to ten."""
    if digits := _DIGITS.search(prediction):
        return int(digits.group())
    word = _WORD.search(prediction.lower())
    return _WORDS.index(word.group()) if word else None


def count(predictions: Sequence[str], references: Sequence[int], *, seed: int = 0) -> Metrics:
    """The standard metrics (the paper gives the accuracy alone) of the counts that :func:`number` reads."""
    return standard_count.score([number(text) for text in predictions], references, seed=seed)


def overlaps(predictions: Sequence[XYXY | None], references: Sequence[XYXY]) -> list[float]:
    """The IoU of every pair with both boxes misread: (x1, y1, x2, y2) as x, y, width, height. Every box grows towards
    the bottom right by its distance from the top left corner, so far-off boxes overlap more than they do."""
    return standard_ground.overlaps(
        [box and _misread(box) for box in predictions], list(map(_misread, references))
    )


def ground(predictions: Sequence[XYXY | None], references: Sequence[XYXY], *, seed: int = 0) -> Metrics:
    """``acc@0.5``, ``acc@0.7``, ``miou`` of :func:`overlaps`; boxes in pixels (or any one unit)."""
    misread = [box and _misread(box) for box in predictions]
    found = standard_ground.score(misread, list(map(_misread, references)), seed=seed)
    return {name: value for name, value in found.items() if name != "cum_iou"}


def _contained(predictions: Sequence[str], references: Sequence[str]) -> list[bool]:
    return [contains(*pair) for pair in zip(predictions, references, strict=True)]


def _misread(box: XYXY) -> XYXY:
    x, y, width, height = box
    return x, y, x + width, y + height
