"""Direction words follow the picture, other words stay, and what can't be kept true is given up."""

from __future__ import annotations

import itertools

import pytest

from skymoe.data.directions import names_count, names_position, turned_text
from skymoe.data.turns import Turn

LR, TB, HALF = Turn.FLIP_LEFT_RIGHT, Turn.FLIP_TOP_BOTTOM, Turn.ROTATE_180
QUARTER = Turn.ROTATE_90  # counter-clockwise: left → bottom → right → top → left


@pytest.mark.parametrize(
    ("phrase", "mirrored", "upside_down", "quarter"),
    [
        ("the top-left tank", "the top-right tank", "the bottom-left tank", "the bottom-left tank"),
        ("the upper right tank", "the upper left tank", "the lower right tank", "the upper left tank"),
        ("the left top tank", "the right top tank", "the left bottom tank", "the left bottom tank"),
        ("The leftmost tank", "The rightmost tank", "The leftmost tank", "The bottommost tank"),
        ("the uppermost tank", "the uppermost tank", "the lowermost tank", "the leftmost tank"),
        ("the bottom tank", "the bottom tank", "the top tank", "the right tank"),
        ("the largest tank", "the largest tank", "the largest tank", "the largest tank"),
        ("the tank above the road", "the tank above the road", "the tank below the road", None),
        ("the vertical ship", "the vertical ship", "the vertical ship", "the horizontal ship"),
        ("the ship facing north", "the ship facing north", None, None),
        ("the clockwise turn", "the counterclockwise turn", "the counterclockwise turn", "the clockwise turn"),
        ("the anti-clockwise turn", "the clockwise turn", "the clockwise turn", "the anti-clockwise turn"),
        ("the road on the main diagonal", "the road on the minor diagonal", "the road on the minor diagonal",
         "the road on the minor diagonal"),
    ],
)  # fmt: skip
def test_phrases(phrase: str, mirrored: str, upside_down: str, quarter: str | None) -> None:
    assert turned_text(phrase, LR, "phrase") == mirrored
    assert turned_text(phrase, TB, "phrase") == upside_down
    assert turned_text(phrase, QUARTER, "phrase") == quarter


@pytest.mark.parametrize(
    "caption",
    [
        "two roads vertical to each other .",
        "one road goes across another roads vertically with some cars on the roads .",
        "white waves are thrown up on the beach, which is made up of sand .",
        "a cross stands on the top of a church .",
        "an upside down bowl stands right next to a building .",
        "the roads form a right angle .",
        "cars are diagonally parked in front of the building behind the trees on two sides of the road .",
        "a road goes through the residential area .",
    ],
)
def test_captions_that_stay_true_in_every_turn(caption: str) -> None:
    assert {turned_text(caption, turn) for turn in Turn} == {caption}


def test_captions_follow_where_they_speak_of_places() -> None:
    left = "a forest is on the left side of the picture and a lake in the lower right corner ."
    assert (
        turned_text(left, LR)
        == "a forest is on the right side of the picture and a lake in the lower left corner ."
    )
    assert turned_text(left, QUARTER) == (
        "a forest is on the bottom side of the picture and a lake in the upper right corner ."
    )
    assert (
        turned_text("a pond has wheat fields on the right .", LR) == "a pond has wheat fields on the left ."
    )


@pytest.mark.parametrize(
    ("caption", "safe"),
    [
        ("a bridge is above a green river .", {LR}),
        ("several roads lie in the top of some buildings .", {LR}),
        ("the busy right bank with many buildings .", {TB}),
        ("a forest in the south .", {LR}),
        ("a house is in the northwest .", set()),
        ("two vertical bridges are over the river .", {LR, TB, HALF}),
        ("only little spaces are left .", {TB}),
    ],
)
def test_captions_that_may_mean_something_else_are_given_up(caption: str, safe: set[Turn]) -> None:
    kept = {turn for turn in Turn if turned_text(caption, turn) is not None} - {Turn.NONE}
    assert {turn for turn in kept if not turn.swaps_axes} == safe
    assert all(turned_text(caption, turn) == caption for turn in kept)


@pytest.mark.parametrize(
    ("answer", "mirrored", "quarter"),
    [
        ("left and right", "left and right", "up and bottom"),
        ("up, center and bottom", "up, center and bottom", "left, center and right"),
        ("lower left and upper right", "upper left and lower right", "upper left and lower right"),
        ("left and center", "center and right", "center and bottom"),
        ("top left corner", "top right corner", "bottom left corner"),
        ("up left", "upper right", "lower left"),
        ("main diagonal", "minor diagonal", "minor diagonal"),
        ("four corners", "four corners", "four corners"),
        ("i cannot see it", "i cannot see it", "i cannot see it"),
        ("top", "top", "left"),
        ("yes", "yes", "yes"),
    ],
)
def test_answers_keep_the_words_and_the_order_of_the_data_set(
    answer: str, mirrored: str, quarter: str
) -> None:
    assert turned_text(answer, LR, "answer") == mirrored
    assert turned_text(answer, QUARTER, "answer") == quarter


def test_turning_back_gives_the_same_text() -> None:
    places = [
        "top-left",
        "upper right",
        "left",
        "rightmost",
        "bottom",
        "top",
        "leftmost",
        "bottom-right",
        "vertical",
    ]
    for place, turn in itertools.product(places, Turn):
        phrase = f"the {place} storage tank"
        turned = turned_text(phrase, turn, "phrase")
        assert turned
        assert turned_text(turned, turn.inverse, "phrase") == phrase
    answers = ["left and right", "up and bottom", "lower left and upper right", "center and right", "up", "left",
               "up, center and bottom", "upper left and lower right", "upper right", "minor diagonal"]  # fmt: skip
    for answer, turn in itertools.product(answers, Turn):
        assert turned_text(turned_text(answer, turn, "answer") or "", turn.inverse, "answer") == answer


def test_what_a_crop_may_make_wrong() -> None:
    for text in ("the leftmost tank", "a lake in the corner .", "the largest ship", "up and bottom"):
        assert names_position(text)
    for text in ("there are two planes .", "only grass .", "thirty-six", "4 tanks"):
        assert names_count(text)
    for text in (
        "many planes are parked beside a building .",
        "roads with no cars",
        "waves throw up white foam .",
    ):
        assert not names_count(text)
        assert not names_position(text)
