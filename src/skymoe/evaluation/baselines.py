"""What can be had without looking: the numbers that stand beside every number.

*Blind* is the same model on a picture of one colour, the mean of the real one. *Constant* is the best answer that
needs neither picture nor model, learnt from the training split: the most frequent answer to this very question, the
most frequent label, the number or the centred box that does best there, the most frequent caption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageStat

from skymoe.boxes import Box, format_box
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.intervals import Metrics
from skymoe.evaluation.metrics.ground import THRESHOLDS
from skymoe.evaluation.scoring import Record, Score, score_records
from skymoe.tasks.caption import tidy

CONSTANTS = {
    "caption": "the most frequent training caption",
    "vqa": "the most frequent training answer to the same question",
    "ground": "the centred box that does best in training",
    "count": "the number that does best in training",
    "classify": "the most frequent training label",
}
# Shares of the picture's side that a centred box is tried with.
SIDES = np.arange(0.02, 1.001, 0.02)


def mean_colour(picture: Image.Image) -> Image.Image:
    """A picture of the same size that has the mean colour everywhere."""
    red, green, blue = (round(value) for value in ImageStat.Stat(picture.convert("RGB")).mean)
    return Image.new("RGB", picture.size, (red, green, blue))


def constant_metrics(
    task: str, train: Sequence[Item], items: Sequence[Item], records: Sequence[Record]
) -> tuple[Metrics, dict[str, Metrics]]:
    """The metrics of the constant answer, and those of its parts. Where the best constant differs by metric, each
    metric gets its own."""
    scored: dict[tuple[str, ...], Score] = {}

    def score_of(answers: Iterable[str]) -> Score:
        texts = tuple(answers)
        if texts not in scored:
            lines = [{**r, "prediction": text} for r, text in zip(records, texts, strict=True)]
            scored[texts] = score_records(task, lines)
        return scored[texts]

    if task == "count":
        best = best_counts([int(item.query.target or 0) for item in train])
        return {name: score_of([str(value)] * len(items)).metrics[name] for name, value in best.items()}, {}
    if task == "ground":
        boxes = {
            name: [centred_text(item, sides) for item in items] for name, sides in best_centred(train).items()
        }
        # Metrics of turned boxes, where there are some, by the box with the best mean overlap.
        others = score_of(boxes["miou"]).metrics
        return {name: score_of(boxes.get(name, boxes["miou"])).metrics[name] for name in others}, {}
    if task == "vqa":
        score = score_of(frequent_answers(train, items))
    elif task == "caption":
        captions = [tidy(line) for item in train for line in item.sample.captions]
        score = score_of([most_frequent(captions)] * len(items))
    else:
        score = score_of([most_frequent(item.query.target or "" for item in train)] * len(items))
    return score.metrics, score.by


def most_frequent(answers: Iterable[str]) -> str:
    """The most frequent one; of equally frequent ones the first in the alphabet."""
    return min(Counter(answers).items(), key=lambda pair: (-pair[1], pair[0]))[0]


def frequent_answers(train: Sequence[Item], items: Sequence[Item]) -> list[str]:
    """The training split's most frequent answer to each question; to unknown ones that of their type, else of all."""
    by_text: dict[str, list[str]] = {}
    by_kind: dict[str, list[str]] = {}
    for item in train:
        by_text.setdefault(_question(item), []).append(item.query.target or "")
        by_kind.setdefault(item.query.kind or "", []).append(item.query.target or "")
    texts = {text: most_frequent(answers) for text, answers in by_text.items()}
    kinds = {kind: most_frequent(answers) for kind, answers in by_kind.items()}
    anything = most_frequent(item.query.target or "" for item in train)
    return [texts.get(_question(item)) or kinds.get(item.query.kind or "", anything) for item in items]


def _question(item: Item) -> str:
    return " ".join((item.query.subject or "").lower().split()).rstrip("?. ")


def best_counts(counts: Sequence[int]) -> dict[str, int]:
    """The constant that does best in training by each metric: the mode, the median, the rounded mean …"""
    # Counts repeat a lot, so each is weighed once: crowded data sets have 10⁵ of them, up to thousands.
    values, often = np.unique(np.array(counts), return_counts=True)
    candidates = np.arange(values.min(), values.max() + 1)
    errors = np.abs(candidates[:, None] - values[None, :])
    return {
        "accuracy": int(candidates[((errors == 0) @ often).argmax()]),
        "mae": int(candidates[(errors @ often).argmin()]),
        "rmse": int(candidates[(errors**2 @ often).argmin()]),
        "within10": int(candidates[((10 * errors <= values) @ often).argmax()]),
    }


def best_centred(train: Sequence[Item]) -> dict[str, tuple[float, float]]:
    """Width and height (shares of the picture's) of the centred box that does best in training, by metric.

    "cum_iou" weighs with areas in pixels, the others take every question alike.
    """
    sizes = np.array([(item.sample.width, item.sample.height) * 2 for item in train], dtype=np.float64)
    boxes = np.array([item.query.box for item in train], dtype=np.float64) / sizes
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    pixels = sizes[:, 0] * sizes[:, 1]
    thresholds = {f"acc@{t}": t for t in THRESHOLDS}
    best: dict[str, tuple[float, tuple[float, float]]] = {}
    for wide in SIDES:
        across = np.minimum(boxes[:, 2], 0.5 + wide / 2) - np.maximum(boxes[:, 0], 0.5 - wide / 2)
        for high in SIDES:
            down = np.minimum(boxes[:, 3], 0.5 + high / 2) - np.maximum(boxes[:, 1], 0.5 - high / 2)
            shared = across.clip(0) * down.clip(0)
            union = areas + wide * high - shared
            overlap = shared / union
            values = {name: float((overlap >= least).mean()) for name, least in thresholds.items()}
            values |= {"miou": float(overlap.mean()), "cum_iou": float(shared @ pixels / (union @ pixels))}
            for name, value in values.items():
                if name not in best or value > best[name][0]:
                    best[name] = (value, (float(wide), float(high)))
    return {name: sides for name, (_, sides) in best.items()}


def centred_text(item: Item, sides: tuple[float, float]) -> str:
    """A centred box of these sides, as an answer to the item."""
    width, height = item.sample.width, item.sample.height
    dx, dy = sides[0] * width / 2, sides[1] * height / 2
    return format_box(Box(width / 2 - dx, height / 2 - dy, width / 2 + dx, height / 2 + dy), width, height)
