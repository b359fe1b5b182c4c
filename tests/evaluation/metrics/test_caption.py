"""Caption metrics: worked out by hand, safe from odd captions, and whole as far as the machine allows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from skymoe.evaluation.intervals import bootstrap
from skymoe.evaluation.metrics import bleu, caption, ngrams


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


def test_without_pycocoevalcap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skymoe.evaluation.metrics.meteor.jar", lambda: None)
    monkeypatch.setattr("skymoe.evaluation.metrics.caption.version", _not_installed)
    found = caption.evaluate(["a plane ."], [["a plane ."]], with_spice=True)
    assert found.metrics["bleu1"]["value"] == pytest.approx(1, abs=1e-6)
    assert "meteor" not in found.metrics
    assert found.notes["meteor"].startswith("METEOR needs ")
    assert found.notes["spice"].startswith("SPICE ")
    assert "pycocoevalcap" in caption.implementation()["captions"]


def _not_installed(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_a_java_that_does_not_run_costs_only_what_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycocoevalcap", reason="without it Java is not even asked")
    stub = tmp_path / "java"
    stub.write_text("#!/bin/sh\necho 'no Java runtime present' >&2\nexit 1\n", encoding="utf-8")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr("skymoe.evaluation.metrics.meteor._shared", None)
    found = caption.evaluate(["a plane (white)", "trees"], [["a plane ."], ["a tree"]])
    assert set(found.metrics) == set(caption.NAMES) - {"meteor"}
    assert found.notes["meteor"].endswith("no Java runtime present")
    assert found.notes["tokens"].startswith("1 captions")


def test_intervals_are_those_of_each_metric_alone() -> None:
    predictions = ["a b c d", "w x", "k l m n o", "a a"]
    references = [["a b c d"], ["w x y z", "x w"], ["k l m", "n o"], ["a"]]
    found = caption.evaluate(predictions, references, with_meteor=False, seed=5)
    rows = bleu.rows(ngrams.count(predictions, references))
    alone = bootstrap(rows, lambda sums: bleu.bleu(sums, 4), seed=5)
    assert found.metrics["bleu4"] == pytest.approx(alone, abs=1e-12)
    for name, estimate in found.metrics.items():
        assert estimate["low"] <= estimate["value"] <= estimate["high"], name


def test_captions_with_half_a_surrogate_are_scored() -> None:
    found = caption.evaluate(["a plane \ud800 here"], [["a plane here"]], with_meteor=False)
    assert found.metrics["bleu1"]["value"] > 0.5
