"""Ours beside the paper's: by one protocol, with the interval of the difference."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.report.conftest import made_report, made_result
from skymoe.evaluation.intervals import wilson
from skymoe.evaluation.report.beside import (
    ABOVE,
    BELOW,
    OPEN,
    besides,
    caveats,
    difference,
    published_name,
    unscored,
)


def test_the_difference_is_newcombes() -> None:
    # Newcombe 1998, Statistics in Medicine 17, p. 876: 56/70 against 48/80, method 10.
    found = difference(wilson(56, 70), wilson(48, 80))
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_only_the_papers_protocol_stands_beside_the_paper(scenes: dict[str, Any]) -> None:
    (one,) = besides(scenes)
    assert (one.dataset, one.value, one.published_value) == ("AID", "90.0", "78.2")
    assert (one.own_n, one.published_n) == ("40", "600")
    assert one.gap == "+11.8"
    # 36 of 40 against 469 of 600: the small sample cannot tell.
    assert one.verdict == OPEN
    assert one.rank == "1 of 13"


def test_without_the_papers_protocol_nothing_is_compared(scenes: dict[str, Any]) -> None:
    del scenes["results"]["aid-rsicd-test"]["paper"]
    assert besides(scenes) == []
    assert unscored(scenes) == ["A benchmark"]


@pytest.mark.parametrize(("right", "verdict"), [(940, ABOVE), (800, OPEN), (600, BELOW)])
def test_the_verdict_takes_both_samples_into_account(
    scenes: dict[str, Any], right: int, verdict: str
) -> None:
    scenes["results"]["aid-rsicd-test"]["paper"]["metrics"]["accuracy"] = wilson(right, 1000)
    (one,) = besides(scenes)
    assert one.verdict == verdict
    assert one.verdict in caveats(scenes, [one])[0].lower()


def test_question_types_are_compared_one_by_one() -> None:
    by = {
        "presence": {"accuracy": wilson(90, 100)},
        "count": {"accuracy": wilson(1, 100)},  # left out in the paper
    }
    paper = {"metrics": {"oa": wilson(91, 200)}, "by": by, "notes": {}}
    result = made_result("vqa", {"oa": wilson(91, 200)}, paper=paper, sizes={"presence": 100, "count": 100})
    (one,) = besides(made_report(rsvqa_lr={**result, "published": "RSVQA-LR"}))
    assert (one.metric, one.own_n, one.published_n, one.published_value) == ("presence", "100", "56", "91.1")


def test_what_lies_in_the_place_of_mgrs_bench_is_never_compared() -> None:
    paper = {"metrics": {"accuracy": wilson(9, 10)}, "by": {}, "notes": {}}
    result = made_result("classify", {"accuracy": wilson(9, 10)}, paper=paper, published="MGRS-Bench")
    assert published_name("mgrs-classify", result) == ""
    assert besides(made_report(mgrs_classify=result)) == []


def test_the_caveats_say_what_is_known_of_training(scenes: dict[str, Any]) -> None:
    found = besides(scenes)
    assert any("not recorded" in text for text in caveats(scenes, found))
    scenes["model"]["trained_on"] = ["aid"]
    assert any(text.startswith("In-domain") and "A benchmark" in text for text in caveats(scenes, found))
    scenes["model"]["trained_on"] = ["rsicd"]
    assert any("none of these data sets" in text for text in caveats(scenes, found))


def test_the_caveats_say_what_could_not_be_scored_and_what_is_missing(scenes: dict[str, Any]) -> None:
    result = scenes["results"]["aid-rsicd-test"]
    result["paper"]["notes"] = {"meteor": "needs a package"}
    result |= {"official_pictures": 10_000}
    said = caveats(scenes, besides(scenes))
    assert "A benchmark: needs a package." in said
    assert "A benchmark: 40 of the official 10,000 pictures." in said
