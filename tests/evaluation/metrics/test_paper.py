"""The `paper` protocol: lenient where it was lenient, wrong where it was wrong, and NLTK's values."""

from __future__ import annotations

import math

import pytest

from golden import golden
from skymoe.evaluation.metrics import ground, paper, paper_captions

STORED = golden("captions")
PREDICTIONS, REFERENCES = (list(column) for column in zip(*STORED["captions"], strict=True))


def values(metrics: dict) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in metrics.items()}


# ---- captions -------------------------------------------------------------------------------------


def test_bleu_over_characters_is_nltks() -> None:
    found = paper.caption(PREDICTIONS, REFERENCES)
    for name in ("bleu1", "bleu2", "bleu3", "bleu4"):
        assert found.per_image[name] == pytest.approx(STORED["paper"]["per_image"][name], abs=1e-9), name
        wanted = sum(STORED["paper"]["per_image"][name]) / len(PREDICTIONS)
        assert found.metrics[name]["value"] == pytest.approx(wanted, abs=1e-9), name


def test_bleu_over_characters_by_hand() -> None:
    # "abc" against "abd": characters 2/3, pairs 1/2, no triple; and an equal length costs nothing.
    one, two, three, four = paper_captions.character_bleu("abc", ["abd"])
    assert one == pytest.approx(2 / 3, abs=1e-12)
    assert two == pytest.approx(math.sqrt(2 / 3 * 1 / 2), abs=1e-12)
    assert 0 < four < three < 1e-50
    assert paper_captions.character_bleu("", ["abd"]) == [0, 0, 0, 0]
    # Two characters against three: the brevity penalty.
    assert paper_captions.character_bleu("ab", ["abd"])[0] == pytest.approx(math.exp(1 - 3 / 2), abs=1e-12)


def test_rouge_with_stems_is_rouge_scores() -> None:
    if reason := paper_captions.why_no_rouge():
        pytest.skip(reason)
    found = paper.caption(PREDICTIONS, REFERENCES)
    assert found.per_image["rouge_l"] == pytest.approx(STORED["paper"]["per_image"]["rouge_l"], abs=1e-9)


def test_meteor_is_nltks() -> None:
    if reason := paper_captions.why_no_meteor():
        pytest.skip(reason)
    found = paper.caption(PREDICTIONS, REFERENCES)
    assert found.per_image["meteor"] == pytest.approx(STORED["paper"]["per_image"]["meteor"], abs=1e-9)


def test_without_nltk_bleu_is_there_and_the_rest_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skymoe.evaluation.metrics.paper_captions.find_spec", lambda name: None)
    paper_captions.why_no_meteor.cache_clear()
    found = paper.caption(["a plane"], [["a plane ."]])
    paper_captions.why_no_meteor.cache_clear()
    assert set(found.metrics) == {"bleu1", "bleu2", "bleu3", "bleu4"}
    assert "NLTK" in found.notes["meteor"]
    assert "NLTK" in found.notes["rouge_l"]


# ---- the others -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "reference", "right"),
    [
        ("This is not a River.", "river", True),
        ("riverside", "river", True),
        ("river", "River ", True),
        ("storagetanks", "storage tanks", False),
        ("anything", "", False),
        ("", "no", False),
        ("I do not know", "no", True),
    ],
)
def test_a_question_is_right_if_the_answer_contains_it(prediction: str, reference: str, right: bool) -> None:
    assert paper.contains(prediction, reference) is right


def test_questions_and_scenes_by_hand() -> None:
    kinds = ["presence", "presence", "comparison"]
    found = paper.vqa(["Yes, it is", "no", "unknown"], ["yes", "yes", "no"], kinds)
    assert values(found) == pytest.approx({"oa": 2 / 3, "aa": (1 / 2 + 1) / 2}, abs=1e-9)
    by = paper.by_kind(["Yes, it is", "no", "unknown"], ["yes", "yes", "no"], kinds)
    assert values(by["presence"]) == {"accuracy": 0.5}
    scenes = paper.classify(["park or beach", "a parking lot"], ["beach", "park"])
    assert values(scenes) == {"accuracy": 1, "mean_class_recall": 1}


@pytest.mark.parametrize(
    ("prediction", "number"),
    [
        ("There are 12 of 15.", 12),
        ("1,234 ships", 1),
        ("two ships, 3 cars", 3),
        ("Seven", 7),
        ("ten or eleven", 10),
        ("eleven", None),
        ("fourteen", None),
        ("none", None),
        ("zero", 0),
        ("", None),
    ],
)
def test_a_count_is_the_first_number(prediction: str, number: int | None) -> None:
    assert paper.number(prediction) == number


def test_counts_by_hand() -> None:
    found = values(paper.count(["3 ships", "none"], [3, 2]))
    assert found == pytest.approx({"accuracy": 1 / 2, "mae": 1, "rmse": math.sqrt(2), "within10": 1 / 2})


def test_boxes_are_read_as_corner_and_size() -> None:
    # 10, 10 … 20, 20 becomes 10, 10 … 30, 30: two boxes that only touch overlap by a third of their union.
    pairs = [(10.0, 10.0, 20.0, 20.0)], [(20.0, 10.0, 30.0, 20.0)]
    assert ground.overlaps(*pairs) == [0]
    # Read so they are 20 × 20 from (10, 10) and 30 × 20 from (20, 10); they share 10 × 20 of 800.
    assert paper.overlaps(*pairs) == pytest.approx([200 / (400 + 600 - 200)])
    found = values(paper.ground([pairs[0][0], None], [pairs[0][0]] * 2))
    assert found == {"acc@0.5": 0.5, "acc@0.7": 0.5, "miou": 0.5}
