"""Counting, grounding, classification and question answering: numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skymoe.evaluation.metrics import classify, count, ground, vqa


def values(metrics: dict) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in metrics.items()}


# ---- counting -------------------------------------------------------------------------------------


def test_count_by_hand() -> None:
    # errors 0, 1, 3, 20 (unparsed: 20 − 0), 0; within 10 %: 5 of 5 exactly, 11 of 10, not 33 − 30 > 3? it is 3: yes
    found = values(count.score([5, 11, 33, None, 0], [5, 10, 30, 20, 0]))
    assert found == pytest.approx(
        {"accuracy": 2 / 5, "mae": 24 / 5, "rmse": math.sqrt((1 + 9 + 400) / 5), "within10": 4 / 5}, abs=1e-6
    )


def test_an_unparsed_count_of_nothing_is_an_error_of_zero_but_no_hit() -> None:
    assert values(count.score([None], [0])) == {"accuracy": 0, "mae": 0, "rmse": 0, "within10": 0}


@given(st.lists(st.tuples(st.none() | st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=20))
def test_count_orders(pairs: list[tuple[int | None, int]]) -> None:
    found = values(count.score([p for p, _ in pairs], [r for _, r in pairs]))
    assert 0 <= found["accuracy"] <= found["within10"] <= 1
    assert 0 <= found["mae"] <= found["rmse"] + 1e-9


# ---- grounding ------------------------------------------------------------------------------------


def test_ground_by_hand() -> None:
    wanted = (0.0, 0.0, 10.0, 10.0)
    given_boxes = [wanted, (0.0, 0.0, 10.0, 5.0), (5.0, 0.0, 15.0, 10.0), None]  # IoU 1, 1/2, 1/3, –
    found = values(ground.score(given_boxes, [wanted] * 4))
    # Exactly 0.5 counts: the threshold is inclusive.
    assert found == pytest.approx(
        {
            "acc@0.5": 2 / 4,
            "acc@0.7": 1 / 4,
            "miou": (1 + 1 / 2 + 1 / 3) / 4,
            "cum_iou": (100 + 50 + 50) / (100 + 100 + 150 + 100),
        },
        abs=1e-6,
    )


# ---- classification -------------------------------------------------------------------------------


def test_classify_by_hand() -> None:
    wanted = ["beach", "beach", "beach", "railway station"]
    found = values(classify.score(["beach", "Beach", None, "RailwayStation"], wanted))
    assert found == pytest.approx({"accuracy": 3 / 4, "mean_class_recall": (2 / 3 + 1) / 2}, abs=1e-6)
    by = classify.by_class(["beach", "Beach", None, "RailwayStation"], wanted)
    assert {name: values(metrics)["recall"] for name, metrics in by.items()} == {
        "beach": pytest.approx(2 / 3),
        "railway station": 1,
    }


# ---- questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "reference", "kind", "right"),
    [
        ("Yes, there is.", "yes", "presence", True),
        ("no", "yes", "presence", False),
        ("", "yes", "presence", False),
        ("  **Left and right** ", "left and right", "location", True),
        ("left", "left and right", "location", False),
        ("2", "two", "count", True),
        ("Two.", "2", "count", True),
        ("two or three", "two", "count", False),
        ("fourteen", "four", "count", False),
        ("none", "zero", "count", True),
        ("i cannot see it", "i cannot see it", "count", True),
        ("the answer is: harbor", "Harbor", "theme", True),
        ("harbor bridge", "harbor", "theme", False),
    ],
)
def test_vqa_answers(prediction: str, reference: str, kind: str, right: bool) -> None:
    assert vqa.is_correct(prediction, reference, kind) is right


def test_vqa_labels_count_as_whole_words_and_only_alone() -> None:
    labels = ("harbor", "river", "storage tanks")
    assert vqa.is_correct("a harbor scene", "harbor", "theme", labels)
    assert vqa.is_correct("StorageTanks", "storage tanks", "theme", labels)
    assert not vqa.is_correct("harbor and river", "harbor", "theme", labels)
    assert not vqa.is_correct("harbors", "harbor", "theme", labels)


def test_vqa_by_hand() -> None:
    kinds = ["count", "presence", "presence", "presence", "theme"]
    wanted = ["two", "yes", "no", "no", "river"]
    found = vqa.score(["3", "yes", "no", "yes", ""], wanted, kinds)
    assert values(found) == pytest.approx(
        {
            "oa": 2 / 5,
            "aa": (0 + 2 / 3 + 0) / 3,
            "oa_without_numbers": 2 / 4,
            "aa_without_numbers": (2 / 3 + 0) / 2,
        },
        abs=1e-6,
    )
    by = vqa.by_kind(["3", "yes", "no", "yes", ""], wanted, kinds)
    assert {kind: values(metrics)["accuracy"] for kind, metrics in by.items()} == {
        "count": 0,
        "presence": pytest.approx(2 / 3),
        "theme": 0,
    }


@given(st.text(max_size=40))
def test_no_text_breaks_the_comparison(text: str) -> None:
    for kind, reference in (("count", "two"), ("presence", "yes"), ("theme", "river")):
        vqa.is_correct(text, reference, kind)
    assert not vqa.is_correct("", text, "theme")
