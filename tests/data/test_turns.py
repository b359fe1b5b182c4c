"""The eight turns: geometry agrees with what Pillow does to the pixels, and every turn can be undone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skymoe.boxes import polygon_bounds
from skymoe.data.turns import Turn

turns = st.sampled_from(list(Turn))
sizes = st.tuples(st.integers(1, 500), st.integers(1, 500))


@pytest.mark.parametrize("turn", list(Turn))
def test_a_painted_block_is_where_the_turned_box_says(turn: Turn) -> None:
    picture = Image.new("L", (40, 25))
    picture.paste(255, (3, 5, 11, 9))
    seen = np.asarray(turn.apply(picture)) > 0
    x1, y1, x2, y2 = (int(v) for v in turn.box((3, 5, 11, 9), 40, 25))
    assert seen.shape[::-1] == turn.size(40, 25)
    assert seen[y1:y2, x1:x2].all()
    assert seen.sum() == (x2 - x1) * (y2 - y1) == 32


@given(turns, sizes, st.tuples(*[st.integers(0, 500)] * 4))
def test_turning_back_gives_the_same_box(turn: Turn, size: tuple[int, int], corners: tuple[int, ...]) -> None:
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    box = (float(x1), float(y1), float(x2), float(y2))
    assert turn.inverse.box(turn.box(box, *size), *turn.size(*size)) == box


@given(turns, sizes, st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=3, max_size=6))
def test_polygons_turn_with_their_bounds_and_keep_their_sense(
    turn: Turn, size: tuple[int, int], points: list
) -> None:
    polygon = tuple(float(value) for point in points for value in point)
    turned = turn.polygon(polygon, *size)
    assert polygon_bounds(turned) == turn.box(polygon_bounds(polygon), *size)
    assert signed_area(turned) == pytest.approx(signed_area(polygon))
    assert turn.inverse.polygon(turned, *turn.size(*size)) == polygon


def signed_area(polygon: tuple[float, ...]) -> float:
    xs, ys = np.array(polygon[::2]), np.array(polygon[1::2])
    return float((xs * np.roll(ys, -1) - ys * np.roll(xs, -1)).sum() / 2)


def test_what_turns_do_to_axes_hands_and_diagonals() -> None:
    assert {turn.name for turn in Turn if turn.swaps_axes} == {
        "ROTATE_90",
        "ROTATE_270",
        "TRANSPOSE",
        "TRANSVERSE",
    }
    mirrors = {"FLIP_LEFT_RIGHT", "FLIP_TOP_BOTTOM", "TRANSPOSE", "TRANSVERSE"}
    assert {turn.name for turn in Turn if turn.mirrors} == mirrors
    swaps = {"FLIP_LEFT_RIGHT", "FLIP_TOP_BOTTOM", "ROTATE_90", "ROTATE_270"}
    assert {turn.name for turn in Turn if turn.swaps_diagonals} == swaps
    assert Turn.ROTATE_90.direction(-1, 0) == (0, 1)  # counter-clockwise: left becomes bottom
