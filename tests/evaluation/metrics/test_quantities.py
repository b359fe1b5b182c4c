"""RSVQA's classes of numbers: named, met by numbers within them, and the bounds belong below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skymoe.data.sources.rsvqa import binned
from skymoe.evaluation.metrics import vqa
from skymoe.evaluation.metrics.quantities import Bin, bin_of, given_bin, read_bin


@given(st.integers(0, 20_000), st.sampled_from(["", "m2"]))
def test_the_readers_words_and_the_number_itself_name_the_same_class(number: int, unit: str) -> None:
    assert given_bin(binned(number, unit)) == bin_of(number) == given_bin(f"{number} {unit}".strip())


@pytest.mark.parametrize(
    ("number", "bin"),
    [(0, (-1, 0)), (1, (0, 10)), (10, (0, 10)), (10.4, (10, 100)), (1000, (100, 1000)), (1001, (1000, None))],
)
def test_upper_bounds_are_inclusive(number: float, bin: tuple[int, int | None]) -> None:
    assert bin_of(number) == Bin(*bin)


@pytest.mark.parametrize(
    ("text", "bin"),
    [
        ("between 0 and 10", (0, 10)),  # as RSVQA's authors write it
        ("between 10 and 100", (10, 100)),
        ("Between 11 m2 and 100 m2.", (10, 100)),
        ("101-1,000", (100, 1000)),
        ("more than 1000m²", (1000, None)),
        ("> 1000", (1000, None)),
        ("between 3 and 5", None),
        ("more than 10", None),
        ("37", None),
        ("many", None),
    ],
)
def test_names_of_classes(text: str, bin: tuple[int, int | None] | None) -> None:
    assert read_bin(text) == (bin and Bin(*bin))


@pytest.mark.parametrize(
    ("prediction", "reference", "kind", "right"),
    [
        ("7", "between 1 and 10", "count", True),
        ("seven buildings", "between 1 and 10", "count", True),
        ("between 0 and 10", "between 1 and 10", "count", True),
        ("11", "between 1 and 10", "count", False),
        ("0", "0", "count", True),
        ("none", "0", "count", True),
        ("a lot", "more than 1000", "count", False),
        # RSVQA-HR does not bin its counts, but its areas, whichever way they are written.
        ("7", "8", "count", False),
        ("45 m2", "between 11 m2 and 100 m2", "area", True),
        ("about 45 square metres", "37m2", "area", True),
        ("0", "0 m2", "area", True),
        ("5 m2", "0 m2", "area", False),
        ("between 1 m2 and 10 m2", "between 11 m2 and 100 m2", "area", False),
        ("", "between 1 and 10", "count", False),
    ],
)
def test_answers_are_right_within_the_class(prediction: str, reference: str, kind: str, right: bool) -> None:
    assert vqa.is_correct(prediction, reference, kind) is right


def test_raw_counts_of_rsvqa_lr_can_be_binned() -> None:
    assert not vqa.is_correct("7", "8", "count")
    assert vqa.is_correct("7", "8", "count", binned=("count", "area"))
    assert vqa.hits(["7", "70"], ["8", "8"], ["count"] * 2, binned=("count",)) == [True, False]
