"""Grounding beyond the accuracies: cumulative overlap, turned boxes, size groups; and what holds for any boxes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skymoe.boxes import Box
from skymoe.evaluation.metrics import ground
from skymoe.sample import XYXY

SIDES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40))
BOX = SIDES.map(lambda s: (float(s[0]), float(s[1]), float(s[0] + s[2]), float(s[1] + s[3])))
PAIRS = st.lists(st.tuples(st.none() | BOX, BOX), min_size=1, max_size=8)


def values(metrics: dict) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in metrics.items()}


def test_large_objects_weigh_more_in_the_cumulative_overlap() -> None:
    wanted = [(0.0, 0.0, 100.0, 100.0), (0.0, 0.0, 10.0, 10.0)]
    found = values(ground.score([wanted[0], None], wanted))
    assert found["miou"] == 0.5
    assert found["cum_iou"] == pytest.approx(10_000 / 10_100)


def test_a_turned_answer_has_two_overlaps() -> None:
    # A square of side 70 turned by 45° against the square around it: horizontally almost all of it, truly half.
    side = 70 * math.sqrt(2)
    around = Box(50 - side / 2, 50 - side / 2, 50 + side / 2, 50 + side / 2)
    turned = Box(15, 15, 85, 85, 45)
    assert ground.overlaps([turned.enclosing().xyxy], [around.xyxy]) == pytest.approx([1], abs=1e-9)
    assert ground.rotated_overlaps([turned], [around]) == pytest.approx([0.5], abs=1e-9)
    found = values(ground.rotated([turned, None], [around, around]))
    assert found["rotated_miou"] == pytest.approx(0.25, abs=1e-9)
    # An outline may stand for the reference: a quadrangle as it is, of any other the smallest rectangle around it.
    assert ground.rotated_overlaps([turned], [turned.polygon()]) == pytest.approx([1], abs=1e-9)
    whole = Box(0, 0, 10, 10)
    half = (0.0, 0.0, 10.0, 0.0, 10.0, 5.0, 0.0, 5.0)
    notched = (0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 5.0, 2.0, 0.0, 10.0)
    crossed = (0.0, 0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 10.0)
    found = ground.rotated_overlaps([whole] * 3, [half, notched, crossed])
    assert found == pytest.approx([0.5, 1, 1], abs=1e-9)


def test_size_groups_are_cocos() -> None:
    boxes: list[XYXY] = [(0, 0, 31, 33), (0, 0, 32, 32), (0, 0, 95, 97), (0, 0, 96, 96)]
    assert list(map(ground.size_group, boxes)) == ["small", "medium", "medium", "large"]
    found = ground.by_size([boxes[0], None, None, boxes[3]], boxes)
    assert list(found) == ["small", "medium", "large"]
    assert [metrics["acc@0.5"]["value"] for metrics in found.values()] == [1, 0, 1]
    assert list(ground.by_size([None], [boxes[3]])) == ["large"]


def test_papers_names_of_the_accuracies_are_known() -> None:
    assert ground.ALIASES == {"mAP@0.5": "acc@0.5", "mAP@0.7": "acc@0.7"}


@given(PAIRS)
def test_bounds_and_order(pairs: list[tuple[XYXY | None, XYXY]]) -> None:
    given_boxes, wanted = [p for p, _ in pairs], [r for _, r in pairs]
    found = values(ground.score(given_boxes, wanted))
    assert 0 <= found["acc@0.7"] <= found["acc@0.5"] <= 1
    assert found["acc@0.5"] * 0.5 - 1e-9 <= found["miou"] <= 1
    assert 0 <= found["cum_iou"] <= 1 + 1e-9
    assert values(ground.score(wanted, wanted)) == pytest.approx(dict.fromkeys(found, 1.0))
    # The unit of length does not matter.
    double = lambda box: box and tuple(2 * v for v in box)  # noqa: E731
    assert values(ground.score(list(map(double, given_boxes)), list(map(double, wanted)))) == pytest.approx(
        found
    )


@given(PAIRS)
def test_without_a_turn_both_overlaps_are_one(pairs: list[tuple[XYXY | None, XYXY]]) -> None:
    given_boxes, wanted = [p for p, _ in pairs], [r for _, r in pairs]
    as_boxes = [None if box is None else Box(*box) for box in given_boxes]
    flat = ground.overlaps(given_boxes, wanted)
    assert ground.rotated_overlaps(as_boxes, [Box(*box) for box in wanted]) == pytest.approx(flat)
    outlines = [Box(*box).polygon() for box in wanted]
    assert ground.rotated_overlaps(as_boxes, outlines) == pytest.approx(flat, abs=1e-9)
