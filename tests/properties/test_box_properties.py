"""What holds for all boxes: notations round trip, overlaps are symmetric, moves are a group."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skymoe.boxes import (
    MOVES,
    NOTATIONS,
    SCALES,
    Box,
    format_box,
    iou,
    move_box,
    move_points,
    moved_size,
    oriented_box,
    parse_boxes,
    polygon_area,
    polygon_iou,
    rotated_iou,
)

INVERSE = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}
sizes = st.integers(8, 4000)
shares = st.floats(0, 1)
angles = st.floats(-180, 180)


@st.composite
def pictures_with_a_box(draw: st.DrawFn) -> tuple[Box, int, int]:
    width, height = draw(sizes), draw(sizes)
    xs = sorted((draw(shares) * width, draw(shares) * width))
    ys = sorted((draw(shares) * height, draw(shares) * height))
    return Box(xs[0], ys[0], xs[1], ys[1]), width, height


@st.composite
def turned_boxes(draw: st.DrawFn) -> Box:
    x, y = draw(st.floats(-50, 50)), draw(st.floats(-50, 50))
    return Box(x, y, x + draw(st.floats(1, 60)), y + draw(st.floats(1, 60)), draw(angles))


@given(pictures_with_a_box(), st.sampled_from([name for name in NOTATIONS if name != "auto"]))
def test_what_is_written_is_read_to_within_one_step(given_box: tuple[Box, int, int], notation: str) -> None:
    box, width, height = given_box
    (read,) = parse_boxes(format_box(box, width, height, notation), width, height, notation)
    step = {"unit": 0.001, "pixel": None}.get(notation, 1 / SCALES.get(notation, 1))
    step_x, step_y = (1.0, 1.0) if step is None else (step * width, step * height)
    # Half a step by rounding; a whole one where a thin box had to grow.
    assert abs(read.x1 - box.x1) <= step_x * 1.001
    assert abs(read.x2 - box.x2) <= step_x * 1.001
    assert abs(read.y1 - box.y1) <= step_y * 1.001
    assert abs(read.y2 - box.y2) <= step_y * 1.001
    assert read.area > 0
    assert read == read.clip(width, height)


@given(pictures_with_a_box(), st.integers(-90, 90))
def test_geochat_keeps_whole_degrees(given_box: tuple[Box, int, int], angle: int) -> None:
    box, width, height = given_box
    turned = Box(*box.xyxy, angle)
    (read,) = parse_boxes(format_box(turned, width, height), width, height)
    assert read.angle == angle


@given(pictures_with_a_box(), st.sampled_from(["geochat", "qwen"]))
def test_auto_recognises_what_carries_its_own_marks(given_box: tuple[Box, int, int], notation: str) -> None:
    box, width, height = given_box
    text = format_box(box, width, height, notation)
    assert parse_boxes(text, width, height, "auto") == parse_boxes(text, width, height, notation)


@given(turned_boxes(), turned_boxes())
def test_overlap_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    share = rotated_iou(a, b)
    assert 0 <= share <= 1
    assert rotated_iou(b, a) == pytest.approx(share, abs=1e-9)
    assert rotated_iou(a, a) == pytest.approx(1)


@given(turned_boxes(), turned_boxes())
def test_horizontal_boxes_overlap_alike_by_both_ways(a: Box, b: Box) -> None:
    flat_a, flat_b = Box(*a.xyxy), Box(*b.xyxy)
    assert polygon_iou(flat_a.polygon(), flat_b.polygon()) == pytest.approx(iou(a.xyxy, b.xyxy), abs=1e-9)


@given(turned_boxes(), turned_boxes(), angles)
def test_overlap_does_not_change_when_both_are_turned_together(a: Box, b: Box, angle: float) -> None:
    def turn(box: Box) -> Box:
        cx, cy = box.center
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        dx, dy = cx * cos - cy * sin - cx, cx * sin + cy * cos - cy
        return Box(box.x1 + dx, box.y1 + dy, box.x2 + dx, box.y2 + dy, box.angle + angle)

    assert rotated_iou(turn(a), turn(b)) == pytest.approx(rotated_iou(a, b), abs=1e-7)


@given(turned_boxes())
def test_turning_keeps_the_area_and_the_enclosing_box_holds_it(box: Box) -> None:
    assert polygon_area(box.polygon()) == pytest.approx(box.area, rel=1e-6)
    around = box.enclosing()
    xs, ys = box.polygon()[0::2], box.polygon()[1::2]
    assert (around.x1, around.x2) == pytest.approx((min(xs), max(xs)))
    assert (around.y1, around.y2) == pytest.approx((min(ys), max(ys)))


@given(turned_boxes())
def test_the_smallest_rectangle_of_a_rectangle_is_itself(box: Box) -> None:
    found = oriented_box(box.polygon())
    assert found.area == pytest.approx(box.area, rel=1e-5)
    assert -45 <= found.angle <= 45.001
    assert rotated_iou(found, box) == pytest.approx(1, abs=1e-5)


@given(pictures_with_a_box(), st.sampled_from(MOVES))
def test_a_move_and_its_inverse_are_nothing(given_box: tuple[Box, int, int], move: str) -> None:
    box, width, height = given_box
    there = box.move(move, width, height)
    assert there == there.clip(*moved_size(move, width, height))
    back = there.move(INVERSE.get(move, move), *moved_size(move, width, height))
    assert back.xyxy == pytest.approx(box.xyxy)


@given(turned_boxes(), st.sampled_from(MOVES))
def test_moving_a_turned_box_moves_its_outline(box: Box, move: str) -> None:
    outline = move_points(box.polygon(), move, 100, 80)
    assert polygon_iou(outline, box.move(move, 100, 80).polygon()) == pytest.approx(1, abs=1e-6)
    assert move_box(box.enclosing().xyxy, move, 100, 80) == pytest.approx(
        box.move(move, 100, 80).enclosing().xyxy, abs=1e-6
    )


@given(pictures_with_a_box(), pictures_with_a_box(), st.sampled_from(MOVES))
def test_moves_keep_overlaps(a: tuple[Box, int, int], b: tuple[Box, int, int], move: str) -> None:
    box, width, height = a
    other = b[0].clip(width, height)
    assume(box.area > 1e-3 and other.area > 1e-3)
    moved = iou(box.move(move, width, height).xyxy, other.move(move, width, height).xyxy)
    assert moved == pytest.approx(iou(box.xyxy, other.xyxy), abs=1e-6)


@given(st.text(alphabet="0123456789.,-<>[](){}| \n", max_size=120), st.sampled_from(NOTATIONS))
def test_no_text_breaks_the_reader(text: str, notation: str) -> None:
    for box in parse_boxes(text, 640, 480, notation):
        assert all(math.isfinite(value) for value in (*box.polygon(), box.angle))
        assert box.x1 <= box.x2
        assert box.y1 <= box.y2
