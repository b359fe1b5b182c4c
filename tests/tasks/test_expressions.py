"""Phrases that name one object: what is derived, what is understood, what is refused as ambiguous."""

from __future__ import annotations

from random import Random

import pytest

from skymoe.sample import Region, Sample
from skymoe.tasks.expressions import derive, names_one, referents, reword


def tank(x: float, y: float, size: float = 20, name: str = "storage tank", difficult: bool = False) -> Region:
    """A square object of ``size`` pixels around (x, y)."""
    return Region(name, (x - size / 2, y - size / 2, x + size / 2, y + size / 2), difficult=difficult)


def named(*regions: Region, complete: str = "storage tank") -> dict[str, int]:
    """Which region each derived phrase names, in a picture of 200 × 200."""
    sample = Sample("", "", "", "", "", 200, 200, regions=regions, complete=frozenset({complete}))
    boxes = [region.box for region in regions]
    return {found.phrase: boxes.index(found.box) for found in derive(sample)}


def test_four_corners_and_a_big_one_in_the_middle() -> None:
    found = named(tank(30, 30), tank(170, 30), tank(30, 170), tank(170, 170), tank(100, 100, 60))
    assert found == {
        "the largest storage tank": 4,
        "the top-left storage tank": 0,
        "the top-right storage tank": 1,
        "the bottom-left storage tank": 2,
        "the bottom-right storage tank": 3,
        "the central storage tank": 4,
    }


def test_sides() -> None:
    found = named(tank(20, 100), tank(180, 105), tank(100, 20), tank(105, 180))
    sides = {"leftmost": 0, "rightmost": 1, "topmost": 2, "bottom": 3}
    assert {phrase.split()[1]: index for phrase, index in found.items()} == sides


def test_a_single_object_is_the_only_one() -> None:
    assert named(tank(30, 30)) == {"the storage tank": 0, "the only storage tank": 0}


def test_only_exhaustive_classes_and_easy_objects() -> None:
    assert named(tank(30, 30), complete="ship") == {}
    assert named(tank(30, 30, difficult=True)) == {}
    # The difficult one still competes: "the largest" is not the second largest.
    assert "the largest storage tank" not in named(tank(30, 30, 60, difficult=True), tank(170, 170, 30))


def test_sizes_within_fifteen_percent_of_area_are_not_told_apart() -> None:
    assert "the largest storage tank" not in named(tank(30, 30, 20), tank(170, 170, 21))  # 1.10 times
    assert named(tank(30, 30, 20), tank(170, 170, 22))["the largest storage tank"] == 1  # 1.21 times
    assert named(tank(30, 30, 20), tank(170, 170, 22))["the smallest storage tank"] == 0


def test_positions_within_five_percent_of_the_diagonal_are_not_told_apart() -> None:
    # The diagonal is 283 px, the margin 14 px.
    assert "the leftmost storage tank" not in named(tank(30, 30), tank(42, 170))
    assert named(tank(30, 30), tank(46, 170))["the leftmost storage tank"] == 0


def test_of_two_on_one_diagonal_none_is_in_the_other_corners() -> None:
    found = named(tank(30, 30), tank(170, 170))
    assert "the top-left storage tank" in found
    assert "the top-right storage tank" not in found
    assert "the bottom-left storage tank" not in found


def test_leftmost_must_not_be_undercut_by_the_edge_of_a_larger_one() -> None:
    # Its centre is 20 px further left, yet the large one begins before it.
    small, large = tank(50, 30, 10), tank(70, 150, 100)
    assert "the leftmost storage tank" not in named(small, large)
    assert referents("the leftmost storage tank", [small, large], 200, 200) == (small, large)


def test_nothing_is_central_far_from_the_middle() -> None:
    assert "the central storage tank" not in named(tank(20, 20), tank(180, 20))


@pytest.mark.parametrize(
    ("phrase", "index"),
    [
        ("the top-left storage tank", 0),
        ("The upper left storage tank.", 0),
        ("top left tank", 0),
        ("the storage tank in the upper left corner", 0),
        ("the oil tank at the bottom right of the image", 1),
        ("the biggest storage tank", 1),
        ("the right storage tank", 1),
        ("the lowest Storage-Tank", 1),
        ("the ship", 2),
        ("the only ship", 2),
        ("ship", 2),
    ],
)
def test_phrases_people_use(phrase: str, index: int) -> None:
    regions = [tank(30, 30), tank(170, 170, 40), tank(100, 100, 20, "ship")]
    assert referents(phrase, regions, 200, 200) == (regions[index],)
    assert names_one(phrase, regions, 200, 200)


def test_what_does_not_name_one_object() -> None:
    regions = [tank(30, 30), tank(38, 38), tank(100, 100, 20, "ship")]
    assert referents("the storage tank", regions, 200, 200) == tuple(regions[:2])
    assert referents("the top-left storage tank", regions, 200, 200) == tuple(regions[:2])
    for phrase in ("the storage tank", "the only storage tank", "the largest storage tank"):
        assert not names_one(phrase, regions, 200, 200)
    for beyond in ("the red ship", "the storage tanks", "the plane", "the ship left of the tank", ""):
        assert referents(beyond, regions, 200, 200) is None
        assert not names_one(beyond, regions, 200, 200)
    assert not names_one("the ship", [], 200, 200)


def test_a_lone_object_must_be_where_the_phrase_says() -> None:
    regions = [tank(30, 170)]
    for phrase in ("the bottom-left storage tank", "the left storage tank", "the largest storage tank"):
        assert names_one(phrase, regions, 200, 200)
    for phrase in ("the top-left storage tank", "the right storage tank", "the central storage tank"):
        assert not names_one(phrase, regions, 200, 200)


def test_rewording_keeps_the_meaning() -> None:
    regions = [tank(30, 30), tank(170, 170, 40)]
    for phrase in ("the top-left storage tank", "the largest storage tank", "the bottom storage tank"):
        reworded = {reword(phrase, Random(seed)) for seed in range(50)}
        assert len(reworded) > 1
        meant = {referents(other, regions, 200, 200) for other in reworded}
        assert meant == {referents(phrase, regions, 200, 200)}
    assert reword("the red car", Random(0)) == "the red car"
