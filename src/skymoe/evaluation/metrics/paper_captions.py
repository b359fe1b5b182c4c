"""Caption metrics of the `paper` protocol: NLTK's sentence BLEU over characters, NLTK's METEOR, ROUGE-L with a stemmer.

BLEU is computed here, equal to NLTK's `sentence_bleu` on raw strings and many times faster; the other two need NLTK
(an optional extra), METEOR its WordNet too. Whatever is missing is left out and said.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from skymoe.evaluation.intervals import Metrics, mean
from skymoe.evaluation.metrics.caption_scores import CaptionScores
from skymoe.evaluation.metrics.rouge import common_subsequence

_ORDERS = 4
_NOTHING = sys.float_info.min  # what NLTK takes for a precision of 0 unless it is the first


def evaluate(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, seed: int = 0
) -> CaptionScores:
    """``bleu1`` … ``bleu4``, ``meteor``, ``rouge_l``: means over images, of raw texts."""
    assert all(references), "an image without reference captions cannot be scored"
    pairs = list(zip(predictions, references, strict=True))
    bleu = [character_bleu(*pair) for pair in pairs]
    per_image = {f"bleu{order + 1}": [values[order] for values in bleu] for order in range(_ORDERS)}
    notes = {}
    if (missing := why_no_meteor()) is None:
        per_image["meteor"] = [_meteor(*pair) for pair in pairs]
    else:
        notes["meteor"] = missing
    if (missing := why_no_rouge()) is None:
        per_image["rouge_l"] = [stemmed_rouge(text, lines[0]) for text, lines in pairs]
    else:
        notes["rouge_l"] = missing
    metrics: Metrics = {name: mean(values, seed=seed) for name, values in per_image.items()}
    return CaptionScores(metrics, per_image, notes)


def why_no_rouge() -> str | None:
    """Why ROUGE-L cannot be computed here, or None where it can."""
    return (
        None
        if find_spec("nltk")
        else "the paper protocol's ROUGE-L stems words by NLTK: pip install 'skymoe[eval]'"
    )


@cache
def why_no_meteor() -> str | None:
    """Why METEOR cannot be computed here, or None where it can."""
    if find_spec("nltk") is None:
        return "the paper protocol's METEOR is NLTK's: pip install 'skymoe[eval]'"
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except (LookupError, OSError):
        return "NLTK's METEOR needs its WordNet: python -m nltk.downloader wordnet"
    return None


def character_bleu(prediction: str, references: Sequence[str]) -> list[float]:
    """NLTK's `sentence_bleu` with uniform weights over 1 … 4 orders, given raw strings: it compares characters."""
    length = len(prediction)
    closest = min((abs(len(line) - length), len(line)) for line in references)[1]
    penalty = 1.0 if length > closest else math.exp(1 - closest / length) if length else 0.0
    logarithms, found = [], []
    for order in range(1, _ORDERS + 1):
        given = _pieces(prediction, order)
        matched = 0
        if given:
            most: Counter[str] = Counter()
            for line in references:
                most |= _pieces(line, order)
            matched = (given & most).total()
        if order == 1 and not matched:
            return [0.0] * _ORDERS
        logarithms.append(math.log(matched / max(1, given.total()) if matched else _NOTHING))
        found.append(penalty * math.exp(math.fsum(value / order for value in logarithms)))
    return found


def stemmed_rouge(prediction: str, reference: str) -> float:
    """ROUGE-L F1 as the package rouge-score gives it with its stemmer: words of [a-z0-9], longer ones stemmed."""
    given, wanted = _stems(prediction), _stems(reference)
    shared = common_subsequence(given, wanted)
    # 2PR / (P + R) of P = shared / given, R = shared / wanted.
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0


def _pieces(text: str, order: int) -> Counter[str]:
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))


def _stems(text: str) -> list[str]:
    return [_stem(word) if len(word) > 3 else word for word in re.findall("[a-z0-9]+", text.lower())]


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@cache
def _stem(word: str) -> str:
    return _stemmer().stem(word)


def _meteor(prediction: str, references: Sequence[str]) -> float:
    """NLTK's METEOR of words as spaces separate them: the best of all references."""
    from nltk.translate.meteor_score import meteor_score

    return float(meteor_score([line.split() for line in references], prediction.split()))
