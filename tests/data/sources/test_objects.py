"""Sound regions from raw corners, and VOC annotations."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.sources.miniatures.annotated import voc, voc_object, write_text
from skymoe.boxes import oriented_box
from skymoe.data.sources.object_source import hashed_split, named, plain
from skymoe.data.sources.objects import DamagedError, RawObject, label_lines, sound_region
from skymoe.data.sources.voc_xml import read_objects
from skymoe.sample import Region


def test_boxes_are_put_in_order_and_clipped() -> None:
    assert sound_region("ship", (30, 40, 10, 20), 100, 100) == Region("ship", (10, 20, 30, 40))
    assert sound_region("ship", (-5, 10, 20, 30), 100, 100).box == (0, 10, 20, 30)
    assert sound_region("ship", (10, 10, 20, 20), 100, 100, difficult=True).difficult


def test_straight_rectangles_are_boxes_and_slanted_ones_keep_their_outline() -> None:
    assert sound_region("ship", (10, 10, 30, 10, 30, 20, 10, 20), 100, 100).polygon is None
    diamond = (20, 10, 30, 20, 20, 30, 10, 20)
    assert sound_region("ship", diamond, 100, 100) == Region("ship", (10, 10, 30, 30), diamond)
    mask = (0, 0, 50, 0, 50, 10, 10, 10, 10, 50, 0, 50)
    assert sound_region("ship", mask, 100, 100).polygon == mask


def test_crossing_corners_become_the_rectangle_around_them() -> None:
    crossed = (20, 10, 20, 30, 30, 20, 10, 20)
    region = sound_region("ship", crossed, 100, 100)
    assert region.polygon is not None
    assert oriented_box(region.polygon).area == pytest.approx(200)


def test_an_outline_beyond_the_picture_is_cut_with_its_box() -> None:
    region = sound_region("ship", (90, 40, 110, 60, 90, 80, 70, 60), 100, 100)
    assert region.box == (70, 40, 100, 80)
    assert region.polygon is not None
    assert max(region.polygon[::2]) == 100


@pytest.mark.parametrize(
    ("corners", "why"),
    [
        ((10, 10, 10, 20), "without area"), ((10, 10, 20, float("nan")), "no number"), ((1, 2, 3), "3 coordinates"),
        ((200, 200, 220, 220), "outside the 100×100 picture"), ((99, 10, 140, 20), "outside"),
        ((10, 10, 20, 20, 30, 30), "without area"), ((), "0 coordinates"),
    ],
)  # fmt: skip
def test_what_can_not_be_seen_is_refused_with_its_reason(corners: tuple[float, ...], why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        sound_region("ship", corners, 100, 100)


def test_voc_annotations(tmp_path: Path) -> None:
    path = tmp_path / "1.xml"
    objects = [voc_object("T junction", (1, 2, 3, 4), difficult=1),
               voc_object("ship", (5, 6, 7, 8), description="The  ship on the left")]  # fmt: skip
    write_text(path, voc("1.jpg", (80, 60), objects))
    assert read_objects(path) == [
        RawObject("T junction", (1, 2, 3, 4), True),
        RawObject("ship", (5, 6, 7, 8), False, "The ship on the left"),
    ]
    for broken in ("", "<annotation><object>", "no xml", voc("1.jpg", (8, 8), ["<object><name>x</name></object>"]),
                   voc("1.jpg", (8, 8), [voc_object("", (1, 2, 3, 4))]),
                   path.read_text().replace("<xmin>1<", "<xmin>one<")):  # fmt: skip
        write_text(path, broken)
        with pytest.raises(DamagedError, match=r"annotation 1\.xml"):
            read_objects(path)
    with pytest.raises(DamagedError, match=r"annotation 2\.xml is missing"):
        read_objects(tmp_path / "2.xml")


def test_label_files_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes(b"\xef\xbb\xbfa b\r\n\r\n c \n")
    assert label_lines(tmp_path / "1.txt") == ["a b", "c"]
    (tmp_path / "2.txt").write_bytes(b"\x80\x81\xff")
    with pytest.raises(DamagedError, match="no text"):
        label_lines(tmp_path / "2.txt")


def test_names_are_found_however_they_are_written() -> None:
    table = named("storage tank", golffield="golf course")
    for word in ("storage-tank", "Storage_Tank", "storagetank", "STORAGE TANK"):
        assert table[plain(word)] == "storage tank"
    assert table[plain("golf-field")] == "golf course"


def test_hashed_splits_depend_on_the_name_alone() -> None:
    splits = [hashed_split(f"x/{number}") for number in range(2000)]
    assert splits == [hashed_split(f"x/{number}") for number in range(2000)]
    assert 0.65 < splits.count("train") / 2000 < 0.75
    assert 0.17 < splits.count("test") / 2000 < 0.23
