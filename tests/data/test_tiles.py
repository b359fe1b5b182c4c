"""Tiles cover the picture, say only what is true of them, and leave out what nobody can count."""

from __future__ import annotations

from itertools import pairwise

import pytest

from skymoe.boxes import polygon_bounds
from skymoe.data.tiles import Tiling, cut_sample, grid, largest_clear, tiles
from skymoe.errors import UserError
from skymoe.sample import Expression, Question, Region, Sample


def scene(*regions: Region, width: int = 300, height: int = 200) -> Sample:
    return Sample(
        id="s/1", image="x.png", source="s", split="train", licence="", width=width, height=height, regions=regions,
        complete=frozenset({"ship", "airplane"}), captions=("two ships",),
        expressions=(Expression("the ship", (0, 0, 1, 1)),), questions=(Question("How many?", "2", "count"),),
    )  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(100, 100), (101, 40), (300, 200), (839, 451), (7, 1000)])
def test_the_grid_covers_every_pixel_and_overlaps_enough(width: int, height: int) -> None:
    windows = grid(width, height, 100, 20)
    assert len(set(windows)) == len(windows)
    for length, axis in ((width, 0), (height, 1)):
        spans = sorted({(window[axis], window[axis + 2]) for window in windows})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(end - start == min(100, length) for start, end in spans)
        assert all(before[1] - after[0] >= 20 for before, after in pairwise(spans))


def test_a_small_picture_stays_as_it_is() -> None:
    sample = scene()
    assert list(tiles(sample, Tiling(side=300, overlap=0))) == [sample]


def test_an_object_counts_where_half_of_it_is_seen_and_its_class_is_not_counted_in_between() -> None:
    ship = Region("ship", (90.0, 10.0, 110.0, 20.0))
    plane = Region("airplane", (20.0, 20.0, 40.0, 40.0))
    half = cut_sample(scene(ship, plane), (0, 0, 100, 100))
    assert half.regions == (Region("ship", (90.0, 10.0, 100.0, 20.0)), plane)
    assert half.complete == {"ship", "airplane"}
    third = cut_sample(scene(ship, plane), (0, 0, 97, 100))
    assert third.regions == (plane,)
    assert third.complete == {"airplane"}
    sliver = cut_sample(scene(ship, plane), (0, 0, 92, 100))
    assert sliver.regions == (plane,)
    assert sliver.complete == {"ship", "airplane"}
    assert (sliver.captions, sliver.expressions, sliver.questions) == ((), (), ())


def test_a_slanted_object_is_judged_by_its_outline_not_by_its_box() -> None:
    # Upper left triangle: of its box 50 % lies left of x = 50, of itself 75 %.
    corners = (0.0, 0.0, 100.0, 0.0, 0.0, 100.0)
    ship = Region("ship", (0.0, 0.0, 100.0, 100.0), corners)
    cut = cut_sample(scene(ship), (0, 0, 50, 200))
    assert len(cut.regions) == 1
    assert cut.regions[0].polygon is not None
    assert cut.regions[0].box == polygon_bounds(cut.regions[0].polygon) == (0, 0, 50, 100)
    rest = cut_sample(scene(ship), (50, 0, 300, 200))
    assert rest.regions == ()
    assert "ship" not in rest.complete  # a quarter of it is still there
    moved = cut_sample(
        scene(Region("ship", (60, 60, 80, 80), (60, 70, 70, 60, 80, 70, 70, 80))), (50, 50, 150, 150)
    )
    assert moved.regions == (Region("ship", (10, 10, 30, 30), (10, 20, 20, 10, 30, 20, 20, 30)),)


def test_tiles_of_a_window_are_windows_of_the_file() -> None:
    sample = scene(Region("ship", (210, 10, 220, 20))).replace(window=(1000.0, 500.0, 1300.0, 700.0))
    found = list(tiles(sample, Tiling(side=100, overlap=0, empty=0)))
    assert [tile.window for tile in found] == [(1200, 500, 1300, 600)]
    assert found[0].regions == (Region("ship", (10, 10, 20, 20)),)
    assert found[0].id == "s/1/100/200-0"


def test_empty_tiles_are_thinned_in_a_fixed_way() -> None:
    sample = scene(width=2000, height=2000)
    every, some = ({tile.id for tile in tiles(sample, Tiling(100, 0, empty=share))} for share in (1.0, 0.2))
    assert len(every) == 400
    assert some < every
    assert 40 < len(some) < 120
    assert some == {tile.id for tile in tiles(sample, Tiling(100, 0, empty=0.2))}


def test_tiles_that_touch_what_nobody_annotated_are_left_out() -> None:
    sample = scene(Region("ship", (10, 10, 20, 20)), Region("ship", (210, 10, 220, 20)))
    found = list(tiles(sample, Tiling(100, 0, empty=1.0), ignored=[(0.0, 0.0, 150.0, 200.0)]))
    assert {tile.window for tile in found} == {(200, 0, 300, 100), (200, 100, 300, 200)}


def test_what_is_too_small_to_be_seen_is_not_counted() -> None:
    sample = scene(Region("ship", (10, 10, 14, 12)), Region("airplane", (30, 30, 60, 60)))
    (tile,) = tiles(sample, Tiling(100, 0, empty=0, smallest=0.05))
    assert tile.complete == {"airplane"}
    assert len(tile.regions) == 2


def test_the_largest_clear_window() -> None:
    assert largest_clear(100, 80, []) == (0, 0, 100, 80)
    assert largest_clear(100, 80, [(0, 0, 100, 20.5)]) == (0, 21, 100, 80)
    assert largest_clear(100, 80, [(40, 0, 45, 80), (-5, -5, 10, 10)]) == (45, 0, 100, 80)
    assert largest_clear(100, 80, [(0, 0, 100, 80)]) is None
    assert largest_clear(100, 80, [(45, 35, 55, 45)]) == (0, 0, 45, 80)


@pytest.mark.parametrize("options", [{"overlap": 100}, {"overlap": -1}, {"empty": 2.0}, {"smallest": -0.1}])
def test_senseless_tilings_are_one_line(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match="choose 0 …"):
        Tiling(side=100, **{"overlap": 0} | options)  # type: ignore[arg-type]
