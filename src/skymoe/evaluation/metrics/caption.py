"""Captioning: the COCO caption metrics, corpus BLEU-1…4, METEOR, ROUGE-L and CIDEr (-D), as pycocoevalcap gives them.

pycocoevalcap (an optional extra) does the counting; what differs from calling it as a whole is that captions with odd
line breaks cannot shift the others, that Java is needed for METEOR alone, and that every value has an interval: corpus
BLEU and METEOR are recomputed from resampled sums of statistics; ROUGE-L and CIDEr are means over images, CIDEr with
the document frequencies of the whole evaluated corpus. Repeated references count as often as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from skymoe.errors import UserError
from skymoe.evaluation.intervals import Array, Metrics, bootstrap, mean
from skymoe.evaluation.metrics import meteor
from skymoe.evaluation.metrics.ptb import tokenise

NAMES = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider")
_TINY, _SMALL = 1e-15, 1e-9  # pycocoevalcap's guards against division by zero, part of its values


@dataclass(frozen=True)
class CaptionScores:
    """``per_image``: one value an image, in the order given; ``notes``: what is missing or approximate, and why."""

    metrics: Metrics
    per_image: dict[str, list[float]]
    notes: dict[str, str] = field(default_factory=dict)


def score(predictions: Sequence[str], references: Sequence[Sequence[str]], *, seed: int = 0) -> Metrics:
    """The metrics of :func:`evaluate` alone; ``meteor`` is absent where it cannot be computed."""
    return evaluate(predictions, references, seed=seed).metrics


def require() -> None:
    """Raises UserError where pycocoevalcap is not installed."""
    if find_spec("pycocoevalcap") is None:
        raise UserError("caption metrics need pycocoevalcap: pip install 'skymoe[eval]'")


def evaluate(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    with_meteor: bool = True,
) -> CaptionScores:
    """Score one caption an image against all its references.

    Raises UserError where pycocoevalcap is not installed.
    """
    assert all(references), "an image without reference captions cannot be scored"
    assert len(predictions) == len(references), f"{len(predictions)} predictions for {len(references)} images"
    require()
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider_scorer import CiderScorer
    from pycocoevalcap.rouge.rouge import Rouge

    tokens = tokenise([*predictions, *(line for lines in references for line in lines)])
    given = tokens.captions[: len(predictions)]
    rest = iter(tokens.captions[len(predictions) :])
    wanted = [[next(rest) for _ in lines] for lines in references]

    bleu, cider, rouge = BleuScorer(n=4), CiderScorer(n=4), Rouge()
    for prediction, lines in zip(given, wanted, strict=True):
        bleu += (prediction, lines)
        cider += (prediction, lines)
    whole, each = bleu.compute_score(option="closest")
    rows = np.array([_bleu_row(item) for item in bleu.ctest], dtype=np.float64)
    metrics: Metrics = {}
    per_image: dict[str, list[float]] = {}
    for order in range(1, 5):
        estimate = bootstrap(rows, partial(_bleu, order=order), seed=seed)
        assert abs(estimate["value"] - whole[order - 1]) < 1e-9, "BLEU from sums must be BLEU"
        metrics[f"bleu{order}"] = estimate
        per_image[f"bleu{order}"] = [float(value) for value in each[order - 1]]
    notes = {}
    if with_meteor and (missing := meteor.why_not()) is None:
        process = meteor.shared_process()
        statistics = [process.statistics(*pair) for pair in zip(given, wanted, strict=True)]
        corpus, per_image["meteor"] = process.corpus(statistics)
        metrics["meteor"] = bootstrap(meteor.rows(statistics), meteor.from_sums, seed=seed)
        assert abs(metrics["meteor"]["value"] - corpus) < 1e-9, "METEOR from sums must be METEOR"
    elif with_meteor and missing:
        notes["meteor"] = missing
    if tokens.approximate:
        notes["tokens"] = (
            f"{tokens.approximate} captions with unusual characters were split by our own rules: "
            "Stanford's tokeniser needs Java"
        )
    scores = [float(rouge.calc_score([pair[0]], pair[1])) for pair in zip(given, wanted, strict=True)]
    metrics["rouge_l"], per_image["rouge_l"] = mean(scores, seed=seed), scores
    scores = [float(value) for value in cider.compute_score()[1]]
    metrics["cider"], per_image["cider"] = mean(scores, seed=seed), scores
    return CaptionScores(metrics, per_image, notes)


def implementation() -> dict[str, str]:
    """Which code computes the metrics, for the report."""
    return {"captions": f"pycocoevalcap {version('pycocoevalcap')}", "tokens": "PTB (Stanford 3.4.1 rules)"}


def _bleu_row(item: dict) -> list[float]:
    """Guessed and matched n-grams of orders 1–4, length, and the closest reference length (ties: the shorter)."""
    closest = min((abs(length - item["testlen"]), length) for length in item["reflen"])[1]
    return [*item["guess"], *item["correct"], item["testlen"], closest]


def _bleu(sums: Array, order: int) -> Array:
    precisions = (sums[:, 4 : 4 + order] + _TINY) / (sums[:, :order] + _SMALL)
    ratio = (sums[:, 8] + _TINY) / (sums[:, 9] + _SMALL)
    penalty = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1.0)), 1.0)
    return precisions.prod(axis=1) ** (1 / order) * penalty
