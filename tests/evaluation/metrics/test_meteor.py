"""METEOR: the jar's own arithmetic, one process for many evaluations, and a reason where there is none."""

from __future__ import annotations

import pytest

from evaluation.metrics.test_caption_equality import corpus
from golden import golden
from skymoe.evaluation.metrics import meteor, ptb

pytest.importorskip("pycocoevalcap", reason="METEOR's jar is inside it")
needs_java = pytest.mark.skipif(ptb.java() is None, reason="METEOR needs a Java runtime")


def test_without_java_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert meteor.why_not() == "METEOR needs a Java runtime: no java on the PATH"


@needs_java
@pytest.mark.slow
def test_the_formula_gives_the_jars_values_in_one_warm_process() -> None:
    predictions, references = corpus(1)
    predictions[0], predictions[1], references[1] = "", "a tree", ["a tree"]
    process = meteor.start()
    lines = process.statistics(predictions, references)
    rows = meteor.rows(lines)
    assert rows.shape == (len(predictions), meteor.STATISTICS)
    whole, each = process.corpus(lines)
    assert meteor.from_sums(rows) == pytest.approx(each, abs=1e-12)
    assert meteor.from_sums(rows.sum(axis=0, keepdims=True))[0] == pytest.approx(whole, abs=1e-12)
    # The same process answers again, and a caption cannot leave its line or its field.
    assert meteor.start() is process
    assert process.corpus(lines) == (whole, each)
    assert process.statistics(["a ||| tree"], [["a tree", "a plane"]]) == process.statistics(
        ["a tree"], [["a tree", "a plane"]]
    )


@needs_java
@pytest.mark.slow
def test_stored_values_of_pycocoevalcap() -> None:
    stored = golden("captions")
    tokens = iter(stored["coco"]["tokens"])
    predictions = [next(tokens) for _ in stored["captions"]]
    references = [[next(tokens) for _ in lines] for _, lines in stored["captions"]]
    rows = meteor.statistics(predictions, references)
    assert meteor.from_sums(rows) == pytest.approx(stored["coco"]["per_image"]["meteor"], abs=1e-6)
    whole = meteor.from_sums(rows.sum(axis=0, keepdims=True))[0]
    assert whole == pytest.approx(stored["coco"]["corpus"]["meteor"], abs=1e-6)


@needs_java
@pytest.mark.slow
def test_a_killed_process_is_an_error_once_and_replaced() -> None:
    process = meteor.Meteor()
    process._process.kill()
    with pytest.raises(meteor.MeteorError, match="Java process ended"):
        process.statistics(["a"] * 5000, [["a"]] * 5000)
    assert not process.alive
    process.close()
