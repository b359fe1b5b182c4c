"""Captioning: the COCO caption metrics, corpus BLEU-1…4, METEOR, ROUGE-L and CIDEr (-D), as pycocoevalcap gives them.

The values are pycocoevalcap's to 1e-6 (tests hold them together, on its own code), computed another way: captions are
tokenised once for all metrics, n-grams of all images are counted together as integers, and METEOR's process works at
the same time. Captions with odd line breaks cannot shift the others, Java is needed for METEOR alone, and every value
has an interval: corpus BLEU and METEOR are recomputed from resampled sums of statistics; ROUGE-L and CIDEr are means
over images, CIDEr with the document frequencies of the whole evaluated corpus. Repeated references count as often as
they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

from skymoe.errors import UserError
from skymoe.evaluation.intervals import Array, Metrics, bootstraps
from skymoe.evaluation.metrics import bleu, meteor, ngrams, spice
from skymoe.evaluation.metrics.caption_scores import CaptionScores
from skymoe.evaluation.metrics.cider import cider
from skymoe.evaluation.metrics.ptb import tokenise
from skymoe.evaluation.metrics.rouge import rouge_l

__all__ = ["NAMES", "CaptionScores", "evaluate", "implementation", "require", "score"]

NAMES = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider")


def score(predictions: Sequence[str], references: Sequence[Sequence[str]], *, seed: int = 0) -> Metrics:
    """The metrics of :func:`evaluate` alone; ``meteor`` is absent where it cannot be computed."""
    return evaluate(predictions, references, seed=seed).metrics


def require() -> None:
    """Raises UserError where pycocoevalcap is not installed: all but METEOR could be computed, but a model's run is
    too long to find that out at its end."""
    if find_spec("pycocoevalcap") is None:
        raise UserError("caption metrics need pycocoevalcap: pip install 'skymoe[eval]'")


def evaluate(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    seed: int = 0,
    with_meteor: bool = True,
    with_spice: bool = False,
) -> CaptionScores:
    """Score one caption an image against all its references.

    What cannot be computed here (METEOR without Java, SPICE without its models) is left out and said in ``notes``.
    """
    assert predictions, "no captions to score"
    assert all(references), "an image without reference captions cannot be scored"
    assert len(predictions) == len(references), f"{len(predictions)} predictions for {len(references)} images"
    notes = {}
    if with_meteor and (missing := _start_meteor()):
        notes["meteor"], with_meteor = missing, False
    tokens = tokenise([*predictions, *(line for lines in references for line in lines)])
    if tokens.approximate:
        notes["tokens"] = (
            f"{tokens.approximate} captions with unusual characters were split by our own rules: {tokens.why}"
        )
    given = tokens.captions[: len(predictions)]
    rest = iter(tokens.captions[len(predictions) :])
    wanted = [[next(rest) for _ in lines] for lines in references]

    with ThreadPoolExecutor(1) as aside:
        asked = aside.submit(meteor.statistics, given, wanted) if with_meteor else None
        rows, statistics, per_image = _ours(given, wanted)
        _add_meteor(asked, rows, statistics, per_image, notes)
    if with_spice:
        _add_spice(given, wanted, rows, statistics, per_image, notes)
    metrics = bootstraps(np.concatenate(rows, axis=1), statistics, seed=seed)
    ordered = [name for name in (*NAMES, "spice") if name in metrics]
    return CaptionScores(
        {name: metrics[name] for name in ordered}, {name: per_image[name] for name in ordered}, notes
    )


def implementation() -> dict[str, str]:
    """Which code computes the metrics, for the report."""
    try:
        package = f"pycocoevalcap {version('pycocoevalcap')}"
    except PackageNotFoundError:
        package = "pycocoevalcap"
    return {
        "captions": f"BLEU, ROUGE-L, CIDEr-D of skymoe, equal to {package}",
        "meteor": f"METEOR 1.5 (-l en -norm), jar of {package}",
        "tokens": "PTB (Stanford 3.4.1 rules)",
    }


Statistics = dict[str, Callable[[Array], Array]]


def _ours(
    given: Sequence[str], wanted: Sequence[Sequence[str]]
) -> tuple[list[Array], Statistics, dict[str, list[float]]]:
    """Columns that may be summed over images, what the metrics are of the sums, and every image's own values."""
    counted = ngrams.count(given, wanted)
    counts = bleu.rows(counted)
    rouge = np.array([rouge_l(*pair) for pair in zip(given, wanted, strict=True)])
    likeness = cider(counted)
    statistics: Statistics = {f"bleu{order}": partial(bleu.bleu, order=order) for order in range(1, 5)}
    per_image = {name: formula(counts).tolist() for name, formula in statistics.items()}
    per_image |= {"rouge_l": rouge.tolist(), "cider": likeness.tolist()}
    ones, rouge_column, cider_column = (bleu.COLUMNS + place for place in range(3))
    statistics["rouge_l"] = partial(_quotient, above=rouge_column, below=ones)
    statistics["cider"] = partial(_quotient, above=cider_column, below=ones)
    return [counts, np.stack([np.ones(len(rouge)), rouge, likeness], axis=1)], statistics, per_image


def _start_meteor() -> str | None:
    """Its thirteen seconds run while the captions are tokenised. Why it can't be computed, or None where it can."""
    try:
        if (missing := meteor.why_not()) is None:
            meteor.start()
        return missing
    except meteor.MeteorError as error:
        return str(error)


def _add_meteor(
    asked: Future[Array] | None,
    rows: list[Array],
    statistics: Statistics,
    per_image: dict[str, list[float]],
    notes: dict[str, str],
) -> None:
    if asked is None:
        return
    try:
        found = asked.result()
    except meteor.MeteorError as error:
        notes["meteor"] = str(error)
        return
    first = sum(block.shape[1] for block in rows)
    statistics["meteor"] = lambda sums: meteor.from_sums(sums[:, first : first + meteor.STATISTICS])
    per_image["meteor"] = meteor.from_sums(found).tolist()
    rows.append(found)


def _add_spice(
    given: Sequence[str],
    wanted: Sequence[Sequence[str]],
    rows: list[Array],
    statistics: Statistics,
    per_image: dict[str, list[float]],
    notes: dict[str, str],
) -> None:
    if missing := spice.why_not():
        notes["spice"] = missing
        return
    per_image["spice"] = spice.scores(given, wanted)
    column = sum(block.shape[1] for block in rows)
    statistics["spice"] = partial(_quotient, above=column, below=bleu.COLUMNS)
    rows.append(np.array(per_image["spice"])[:, None])


def _quotient(sums: Array, above: int, below: int) -> Array:
    return sums[:, above] / sums[:, below]
