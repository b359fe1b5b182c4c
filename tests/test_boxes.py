"""Boxes: geometry by hand-computed values, and every notation as its model writes it."""

from __future__ import annotations

import math

import pytest

from skymoe.boxes import (
    MOVES,
    NOTATIONS,
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
from skymoe.errors import UserError

W, H = 400, 200  # not square, so that swapped axes are seen


# ---- geometry -------------------------------------------------------------------------------------


def test_a_turned_box_runs_clockwise_on_the_screen() -> None:
    # Its top side, turned by a quarter, is its right side.
    corners = Box(0, 0, 4, 2, angle=90).polygon()
    assert corners == (3, -1, 3, 3, 1, 3, 1, -1)
    assert Box(0, 0, 4, 2, angle=90).enclosing() == Box(1, -1, 3, 3)


def test_45_degrees_make_a_diamond() -> None:
    diamond = Box(0, 0, 2, 2, angle=45).enclosing()
    assert diamond.xyxy == pytest.approx(
        (1 - math.sqrt(2), 1 - math.sqrt(2), 1 + math.sqrt(2), 1 + math.sqrt(2))
    )


def test_clipping_keeps_turned_boxes_as_they_are() -> None:
    assert Box(-5, -5, 500, 50).clip(W, H) == Box(0, 0, W, 50)
    standing = Box(-20, 90, 60, 110, angle=90)  # inside the picture once turned
    assert standing.clip(W, H) == standing
    assert standing.enclosing().clip(W, H) == Box(10, 60, 30, 140)


def test_iou_of_known_overlaps() -> None:
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0  # they touch: no pixel is added
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_rotated_iou_of_known_overlaps() -> None:
    square = Box(0, 0, 2, 2)
    # A square and itself turned by 45° share a regular octagon of area 8(√2 − 1).
    shared = 8 * (math.sqrt(2) - 1)
    assert rotated_iou(square, Box(0, 0, 2, 2, angle=45)) == pytest.approx(shared / (8 - shared))
    assert rotated_iou(Box(0, 0, 4, 2), Box(1, -1, 3, 3, angle=90)) == pytest.approx(1)
    assert rotated_iou(square, Box(10, 10, 12, 12, angle=30)) == 0
    # A cross of two bars 1 × 3: one shared cell of five.
    assert rotated_iou(Box(1, 0, 2, 3), Box(1, 0, 2, 3, angle=90)) == pytest.approx(1 / 5)


def test_polygon_iou_does_not_mind_the_direction() -> None:
    triangle = (0, 0, 4, 0, 0, 4)
    assert polygon_iou(triangle, (0, 4, 4, 0, 0, 0)) == pytest.approx(1)
    assert polygon_iou(triangle, (0, 0, 2, 0, 2, 2, 0, 2)) == pytest.approx(4 / 8)
    assert polygon_area((1, 1, 2, 2)) == 0


def test_the_smallest_rectangle_around_a_dota_outline() -> None:
    box = Box(10, 20, 50, 30, angle=30)
    found = oriented_box(box.polygon())
    assert found.xyxy == pytest.approx(box.xyxy)
    assert found.angle == pytest.approx(30)
    assert oriented_box((0, 0, 4, 0, 4, 2, 0, 2)) == Box(0, 0, 4, 2)
    assert oriented_box((5, 5, 5, 5)).area == 0


# ---- flips and turns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        ("identity", (10, 20, 30, 60)),
        ("flip_left_right", (370, 20, 390, 60)),
        ("flip_top_bottom", (10, 140, 30, 180)),
        ("rotate_180", (370, 140, 390, 180)),
        ("rotate_90", (20, 370, 60, 390)),
        ("rotate_270", (140, 10, 180, 30)),
        ("transpose", (20, 10, 60, 30)),
        ("transverse", (140, 370, 180, 390)),
    ],
)
def test_moves_of_a_box(move: str, expected: tuple[float, ...]) -> None:
    assert move_box((10, 20, 30, 60), move, W, H) == expected


def test_moves_are_those_of_pillow() -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.new("L", (5, 3))
    picture.putpixel((4, 1), 255)
    for move in MOVES:
        seen = picture if move == "identity" else picture.transpose(image.Transpose[move.upper()])
        assert seen.size == moved_size(move, 5, 3)
        # The middle of the bright pixel.
        x, y = move_points((4.5, 1.5), move, 5, 3)
        assert seen.getpixel((int(x), int(y))) == 255, move


def test_an_unknown_move_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown move 'flip': choose one of identity"):
        move_box((0, 0, 1, 1), "flip", W, H)


# ---- notations ------------------------------------------------------------------------------------

PIXELS = (40.0, 60.0, 200.0, 120.0)  # 10 % 30 % 50 % 60 % of the picture


@pytest.mark.parametrize(
    ("notation", "text"),
    [
        ("geochat", "{<10><30><50><60>}"),
        ("geochat", "{<10><30><50><60>|<0>}"),
        ("geochat", "The tank is at <p> the tank </p> {<10><30><50><60>|<0>}."),
        ("geochat", "{ <10> <30> <50> <60> }"),
        ("vrsbench", "{<10><30><50><60>}"),
        ("unit", "[0.1, 0.3, 0.5, 0.6]"),
        ("unit", "It is here: [0.10,0.30,0.50,0.60]"),
        ("unit", "[.1, .3, .5, .6]"),
        ("qwen", "<|box_start|>(100,300),(500,600)<|box_end|>"),
        ("qwen", '{"bbox_2d": [100, 300, 500, 600], "label": "tank"}'),
        ("pixel", '```json\n[{"bbox_2d": [40, 60, 200, 120], "label": "tank"}]\n```'),
        ("pixel", "[40.0, 60.0, 200.0, 120.0]"),
        ("auto", "{<10><30><50><60>}"),
        ("auto", "(100,300),(500,600)"),
        ("auto", "[0.1, 0.3, 0.5, 0.6]"),
        ("auto", "[40, 60, 200, 120]"),
        ("auto", "[100, 300, 500, 600]"),  # 600 is below the lower edge of a 200 px picture
    ],
)
def test_reading_each_notation(notation: str, text: str) -> None:
    (box,) = parse_boxes(text, W, H, notation)
    assert box.xyxy == pytest.approx(PIXELS)
    assert box.angle == 0


def test_vhm_runs_to_999() -> None:
    (box,) = parse_boxes("[0, 0, 999, 999]", W, H, "vhm")
    assert box == Box(0, 0, W, H)


def test_qwen25_pixels_are_those_of_the_model_input() -> None:
    (box,) = parse_boxes("[20, 30, 100, 60]", W, H, "pixel", input_size=(200, 100))
    assert box.xyxy == pytest.approx(PIXELS)
    assert format_box(box, W, H, "pixel", input_size=(200, 100)) == "[20, 30, 100, 60]"


def test_an_angle_is_kept_and_turns_in_pixels() -> None:
    (box,) = parse_boxes("{<10><30><50><60>|<45>}", W, H)
    assert box.xyxy == pytest.approx(PIXELS)
    assert box.angle == 45
    (left,) = parse_boxes("{<10><30><50><60>|<-30>}", W, H)
    assert left.angle == -30


def test_several_boxes_in_reading_order() -> None:
    boxes = parse_boxes("{<0><0><10><10>}<delim>{<20><20><30><30>|<5>}", 100, 100)
    assert boxes == (Box(0, 0, 10, 10), Box(20, 20, 30, 30, 5))


def test_boxes_are_clipped_and_corners_put_in_order() -> None:
    assert parse_boxes("{<90><-5><110><50>}", 100, 100) == (Box(90, 0, 100, 50),)
    assert parse_boxes("{<50><60><10><30>}", 100, 100) == (Box(10, 30, 50, 60),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot see it.",
        "{<10><30><50>}",
        "{10, 30, 50, 60}",
        "[0.1, 0.3, 0.5]",
        "[1, 2, 3, 4, 5]",
        "<a><b><c><d>",
        "{<" + "9" * 400 + "><1><2><3>}",
    ],
)
def test_what_is_no_box(text: str) -> None:
    for notation in NOTATIONS:
        assert parse_boxes(text, W, H, notation) == ()


def test_geochat_does_not_read_lists_nor_lists_angles() -> None:
    assert parse_boxes("[0.1, 0.3, 0.5, 0.6]", W, H, "geochat") == ()
    assert parse_boxes("{<10><30><50><60>}", W, H, "pixel") == ()


@pytest.mark.parametrize(
    ("notation", "text"),
    [
        ("geochat", "{<10><30><50><60>}"),
        ("vrsbench", "{<10><30><50><60>}"),
        ("vhm", "[100, 300, 500, 599]"),
        ("unit", "[0.100, 0.300, 0.500, 0.600]"),
        ("qwen", "<|box_start|>(100,300),(500,600)<|box_end|>"),
        ("pixel", "[40, 60, 200, 120]"),
    ],
)
def test_writing_each_notation(notation: str, text: str) -> None:
    assert format_box(Box(*PIXELS), W, H, notation) == text


def test_only_geochat_writes_angles() -> None:
    box = Box(10, 20, 50, 30, angle=30.4)
    assert format_box(box, 100, 100) == "{<10><20><50><30>|<30>}"
    assert "|" not in format_box(box, 100, 100, "vrsbench")
    assert format_box(Box(10, 20, 50, 30, angle=0.2), 100, 100) == "{<10><20><50><30>}"


def test_no_object_is_too_small_to_be_written() -> None:
    assert format_box(Box(10.2, 10.2, 10.4, 10.4), 1000, 1000) == "{<1><1><2><2>}"
    assert format_box(Box(999.5, 0, 1000, 0.5), 1000, 1000) == "{<99><0><100><1>}"
    assert format_box(Box(500, 500, 500, 500), 1000, 1000) == "{<50><50><51><51>}"


def test_unknown_notations_name_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown box notation 'coco': choose one of geochat"):
        parse_boxes("", W, H, "coco")
    with pytest.raises(UserError, match="cannot write boxes in the notation 'auto'"):
        format_box(Box(0, 0, 1, 1), W, H, "auto")


def test_a_box_as_json() -> None:
    assert Box(1, 2, 3, 4).to_dict() == {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    assert Box(1, 2, 3, 4, 30).to_dict()["angle"] == 30
