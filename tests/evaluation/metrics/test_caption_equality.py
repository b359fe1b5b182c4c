"""The caption metrics are pycocoevalcap's: its own code beside ours, and values it gave, stored."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import golden
from skymoe.evaluation.metrics import bleu, caption, ngrams, ptb
from skymoe.evaluation.metrics.cider import cider
from skymoe.evaluation.metrics.rouge import common_subsequence, rouge_l

needs_java = pytest.mark.skipif(ptb.java() is None, reason="the reference pipeline needs a Java runtime")
WORDS = re.split(
    " ", "a the two many white green plane planes tree trees building buildings is are near road , . 's"
)
# Few words, so that captions share n-grams; empty captions too.
CAPTION = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)
CORPUS = st.lists(st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=4)), min_size=1, max_size=6)


def by_tokens(predictions: list[str], references: list[list[str]]) -> tuple[dict[str, float], dict[str, Any]]:
    """Corpus and per-image values of tokenised captions."""
    counted = ngrams.count(predictions, references)
    rows = bleu.rows(counted)
    whole = {f"bleu{n}": float(bleu.bleu(rows.sum(axis=0, keepdims=True), n)[0]) for n in range(1, 5)}
    each: dict[str, Any] = {f"bleu{n}": bleu.bleu(rows, n) for n in range(1, 5)}
    each["rouge_l"] = [rouge_l(*pair) for pair in zip(predictions, references, strict=True)]
    each["cider"] = cider(counted)
    whole |= {name: sum(each[name]) / len(predictions) for name in ("rouge_l", "cider")}
    return whole, each


def by_coco(predictions: list[str], references: list[list[str]]) -> dict[str, tuple[float, Any]]:
    """The same from pycocoevalcap's scorers."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    wanted, given_captions = dict(enumerate(references)), {i: [line] for i, line in enumerate(predictions)}
    whole, each = Bleu(4).compute_score(wanted, given_captions, verbose=0)
    found = {f"bleu{n + 1}": (whole[n], each[n]) for n in range(4)}
    found["rouge_l"] = Rouge().compute_score(wanted, given_captions)
    if any(line for lines in references for line in lines):  # without any word its CIDEr raises
        found["cider"] = Cider().compute_score(wanted, given_captions)
    return found


@settings(max_examples=60)
@given(CORPUS)
def test_any_tokens_get_pycocoevalcaps_values(corpus: list[tuple[str, list[str]]]) -> None:
    pytest.importorskip("pycocoevalcap", reason="its scorers are the reference")
    predictions, references = [text for text, _ in corpus], [lines for _, lines in corpus]
    whole, each = by_tokens(predictions, references)
    for name, (value, per_image) in by_coco(predictions, references).items():
        assert whole[name] == pytest.approx(value, abs=1e-9), name
        assert list(each[name]) == pytest.approx(list(per_image), abs=1e-9), name


def test_stored_values_of_pycocoevalcap() -> None:
    # From its tokens, so that this holds where there is no Java.
    stored = golden("captions")
    tokens = iter(stored["coco"]["tokens"])
    predictions = [next(tokens) for _ in stored["captions"]]
    references = [[next(tokens) for _ in lines] for _, lines in stored["captions"]]
    whole, each = by_tokens(predictions, references)
    assert len(whole) == 6
    for name, value in whole.items():
        assert value == pytest.approx(stored["coco"]["corpus"][name], abs=1e-6), name
        assert list(each[name]) == pytest.approx(stored["coco"]["per_image"][name], abs=1e-6), name


@needs_java
@pytest.mark.slow
def test_stored_captions_get_pycocoevalcaps_values_from_raw_text() -> None:
    pytest.importorskip("pycocoevalcap", reason="METEOR's jar is inside it")
    stored = golden("captions")
    predictions, references = map(list, zip(*stored["captions"], strict=True))
    found = caption.evaluate(predictions, references)
    assert found.notes == {}
    assert list(found.metrics) == list(caption.NAMES)
    for name in caption.NAMES:
        assert found.metrics[name]["value"] == pytest.approx(stored["coco"]["corpus"][name], abs=1e-6), name
        assert found.per_image[name] == pytest.approx(stored["coco"]["per_image"][name], abs=1e-6), name


def corpus(seed: int, n: int = 40) -> tuple[list[str], list[list[str]]]:
    """Random captions of words as data sets have them."""
    rng = random.Random(seed)
    sentence: Any = lambda: " ".join(rng.choices(WORDS, k=rng.randint(1, 14)))  # noqa: E731
    references = [[sentence() for _ in range(rng.randint(1, 5))] for _ in range(n)]
    return [rng.choice([sentence(), rng.choice(lines)]) for lines in references], references


@needs_java
@pytest.mark.slow
def test_raw_captions_go_through_pycocoevalcaps_own_pipeline_to_the_same_values() -> None:
    pytest.importorskip("pycocoevalcap", reason="its pipeline is the reference")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    predictions, references = corpus(0)
    everything = {
        i: [{"caption": line} for line in (text, *lines)]
        for i, (text, lines) in enumerate(zip(predictions, references, strict=True))
    }
    tokens = list(PTBTokenizer().tokenize(everything).values())
    found = caption.evaluate(predictions, references, with_meteor=False)
    for name, (value, per_image) in by_coco([t[0] for t in tokens], [t[1:] for t in tokens]).items():
        assert found.metrics[name]["value"] == pytest.approx(value, abs=1e-9), name
        assert found.per_image[name] == pytest.approx(list(per_image), abs=1e-9), name


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_common_subsequence_is_the_tables(a: list[str], b: list[str]) -> None:
    row = [0] * (len(b) + 1)
    for x in a:
        above = list(row)
        for j, y in enumerate(b):
            row[j + 1] = above[j] + 1 if x == y else max(above[j + 1], row[j])
    assert common_subsequence(a, b) == row[-1]
