"""Caption metrics: worked out by hand, equal to pycocoevalcap's own pipeline, and safe from odd captions."""

from __future__ import annotations

import math
import random
import re
from typing import Any

import pytest

pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")

from skymoe.evaluation.metrics import caption, meteor, ptb

needs_java = pytest.mark.skipif(ptb.java() is None, reason="the reference pipeline needs a Java runtime")


def without_meteor(predictions: list[str], references: list[list[str]]) -> dict[str, float]:
    found = caption.evaluate(predictions, references, with_meteor=False)
    return {name: estimate["value"] for name, estimate in found.metrics.items()}


def test_bleu_and_rouge_by_hand() -> None:
    # 5 words against 6: unigrams 4/5, bigrams 2/4, trigrams 1/3, no 4-gram; brevity penalty exp(1 − 6/5).
    found = without_meteor(["the white plane is parked"], [["the white plane near a parked"]])
    short = math.exp(1 - 6 / 5)
    assert found["bleu1"] == pytest.approx(4 / 5 * short, abs=1e-6)
    assert found["bleu2"] == pytest.approx(math.sqrt(4 / 5 * 2 / 4) * short, abs=1e-6)
    assert found["bleu3"] == pytest.approx((4 / 5 * 2 / 4 * 1 / 3) ** (1 / 3) * short, abs=1e-6)
    assert found["bleu4"] < 1e-3
    p, r = 4 / 5, 4 / 6  # longest common subsequence: the white plane parked
    assert found["rouge_l"] == pytest.approx((1 + 1.44) * p * r / (r + 1.44 * p), abs=1e-6)


def test_bleu_is_a_corpus_score_with_the_closest_reference_and_the_shorter_of_two() -> None:
    # Lengths 3 against {2, 4}: 2 is chosen, so no penalty; 2 against {4}: total 5 against 6.
    found = without_meteor(["a b c", "x y"], [["a b", "a b c d"], ["x y z w"]])
    assert found["bleu1"] == pytest.approx(math.exp(1 - 6 / 5), abs=1e-6)


def test_cider_by_hand() -> None:
    # Two images, disjoint words: every n-gram has document frequency 1, weight log 2; cosines are 1 where all agree.
    found = without_meteor(["a b c d", "w x y z"], [["a b c d"], ["w x y z"]])
    assert found["cider"] == pytest.approx(10.0, abs=1e-6)
    # Second caption wrong, first a word short: cosines √(3/4), √(2/3), √(1/2), 0; penalty for one bigram less.
    found = without_meteor(["a b c", "nothing"], [["a b c d"], ["w x y z"]])
    first = 10 * (math.sqrt(3 / 4) + math.sqrt(2 / 3) + math.sqrt(1 / 2)) / 4 * math.exp(-1 / 72)
    assert found["cider"] == pytest.approx(first / 2, abs=1e-6)


def test_one_image_alone_scores_zero_cider() -> None:
    assert without_meteor(["a b c d"], [["a b c d"]])["cider"] == 0


def test_repeated_references_count() -> None:
    base = [["a b c d", "a b x y"], ["k l m n"]]
    repeated = [["a b c d", "a b x y", "a b x y"], ["k l m n"]]
    once, twice = without_meteor(["a b c d", "k"], base), without_meteor(["a b c d", "k"], repeated)
    assert once["cider"] > twice["cider"]
    assert once["bleu4"] == twice["bleu4"]


def test_an_empty_caption_scores_zero_and_stays_in_the_denominator() -> None:
    full = caption.evaluate(["a b c d", "w x y z"], [["a b c d"], ["w x y z"]], with_meteor=False)
    half = caption.evaluate(["a b c d", ""], [["a b c d"], ["w x y z"]], with_meteor=False)
    assert full.metrics["rouge_l"]["value"] == pytest.approx(1)
    assert half.metrics["rouge_l"]["value"] == pytest.approx(0.5)
    assert half.metrics["cider"]["value"] == pytest.approx(5)
    assert half.per_image["bleu1"][1] < 1e-5


def test_a_line_break_inside_a_caption_shifts_nothing() -> None:
    references = [["a b c d"], ["w x y z"], ["k l m n"]]
    plain = without_meteor(["a b c d", "w x y z", "k l m n"], references)
    broken = without_meteor(["a b\u2028c d", "w x\x0by z", "k\rl m n"], references)
    assert broken == plain


def test_without_java_everything_but_meteor_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = caption.evaluate(["a plane ."], [["a plane ."]])
    assert set(found.metrics) == set(caption.NAMES) - {"meteor"}
    assert "Java" in found.notes["meteor"]


WORDS = re.split(
    " ", "a the two many white green plane planes tree trees building buildings is are near road , . 's"
)


def corpus(seed: int, n: int = 40) -> tuple[list[str], list[list[str]]]:
    rng = random.Random(seed)
    sentence: Any = lambda: " ".join(rng.choices(WORDS, k=rng.randint(1, 14)))  # noqa: E731
    references = [[sentence() for _ in range(rng.randint(1, 5))] for _ in range(n)]
    return [rng.choice([sentence(), rng.choice(lines)]) for lines in references], references


@needs_java
@pytest.mark.slow
def test_every_value_is_pycocoevalcaps() -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    predictions, references = corpus(0)
    tokens = PTBTokenizer()
    wanted = tokens.tokenize({i: [{"caption": line} for line in lines] for i, lines in enumerate(references)})
    given = tokens.tokenize({i: [{"caption": line}] for i, line in enumerate(predictions)})
    whole, each = Bleu(4).compute_score(wanted, given, verbose=0)
    reference = [(*pair,) for pair in zip(whole, each, strict=True)]
    reference += [scorer.compute_score(wanted, given) for scorer in (Rouge(), Cider())]
    found = caption.evaluate(predictions, references)
    names = [name for name in caption.NAMES if name != "meteor"]
    for name, (value, per_image) in zip(names, reference, strict=True):
        assert found.metrics[name]["value"] == pytest.approx(value, abs=1e-9), name
        assert found.per_image[name] == pytest.approx(per_image, abs=1e-9), name
        assert found.metrics[name]["low"] <= value <= found.metrics[name]["high"], name


@needs_java
@pytest.mark.slow
def test_meteor_is_pycocoevalcaps() -> None:
    # pycocoevalcap 1.2 on the same corpus; computed once, because a second process takes ten seconds to start.
    assert caption.score(*corpus(0))["meteor"]["value"] == pytest.approx(0.3643477377220328, abs=1e-9)


@needs_java
@pytest.mark.slow
def test_the_meteor_formula_gives_the_jars_values() -> None:
    predictions, references = corpus(1)
    predictions[0], predictions[1], references[1] = "", "a tree", ["a tree"]
    process = meteor.shared_process()
    lines = [process.statistics(*pair) for pair in zip(predictions, references, strict=True)]
    rows = meteor.rows(lines)
    assert rows.shape == (len(predictions), meteor.STATISTICS)
    whole, each = process.corpus(lines)
    assert meteor.from_sums(rows) == pytest.approx(each, abs=1e-12)
    assert meteor.from_sums(rows.sum(axis=0, keepdims=True))[0] == pytest.approx(whole, abs=1e-12)
    # The same process answers again.
    assert process.corpus(lines) == (whole, each)
