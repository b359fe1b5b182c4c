"""A view's annotation is true of the view's picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skymoe.data.cuts import cut_polygon, cut_regions, visible_share
from skymoe.data.sources import get_source
from skymoe.data.turns import Turn
from skymoe.data.views import ViewTransform, random_view
from skymoe.pictures import open_sample
from skymoe.sample import Expression, Question, Region, Sample
from skymoe.tasks.expressions import derive

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def scene(
    boxes: list[tuple[int, int, int, int]], size: tuple[int, int] = (120, 80)
) -> tuple[Sample, Image.Image]:
    picture = Image.new("RGB", size, (60, 60, 60))
    for box, colour in zip(boxes, COLOURS, strict=False):
        picture.paste(colour, box)
    regions = tuple(
        Region("storage tank", tuple(map(float, b)), (b[0], b[1], b[2], b[1], b[2], b[3], b[0], b[3])) for b in boxes
    )  # fmt: skip
    sample = Sample(
        id="x", image="x.png", source="s", split="train", licence="-", width=size[0], height=size[1], regions=regions,
        complete=frozenset({"storage tank"}),
    )  # fmt: skip
    return sample, picture


FOUR = [(5, 4, 17, 14), (90, 8, 108, 20), (12, 58, 30, 74), (70, 50, 80, 60)]


def test_boxes_and_polygons_hold_their_blocks_in_every_view() -> None:
    sample, picture = scene(FOUR)
    for seed in range(300):
        seen, transform = random_view(sample, Random(seed))
        pixels = np.asarray(transform.apply(picture))
        assert pixels.shape[:2] == (seen.height, seen.width)
        visible = {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0).tolist()} - {
            (60, 60, 60)
        }
        for region in seen.regions:
            x1, y1, x2, y2 = (int(value) for value in region.box)
            (colour,) = {tuple(c) for c in pixels[y1:y2, x1:x2].reshape(-1, 3).tolist()}
            assert (pixels == colour).all(axis=2).sum() == (x2 - x1) * (y2 - y1)
            assert region.polygon
            assert (min(region.polygon[::2]), min(region.polygon[1::2])) == (x1, y1)
            assert (max(region.polygon[::2]), max(region.polygon[1::2])) == (x2, y2)
            visible.discard(colour)
        # What is not counted is at most a sliver.
        for colour in visible:
            x1, y1, x2, y2 = FOUR[COLOURS.index(colour)]
            assert (pixels == colour).all(axis=2).sum() <= 0.15 * (x2 - x1) * (y2 - y1)


def test_expressions_move_and_speak_along() -> None:
    sample, _ = scene(FOUR)
    sample = sample.replace(expressions=tuple(derive(sample)))
    assert len(sample.expressions) >= 5
    for turn in Turn:
        transform = ViewTransform.of(sample, turn)
        seen = transform.sample(sample)
        assert seen
        # Whoever derives the phrases anew from the turned boxes finds the same ones.
        canonical = {"bottommost": "bottom", "lowermost": "bottom"}
        worded = {(_replace(e.phrase, canonical), e.box) for e in seen.expressions}
        assert worded == {(e.phrase, e.box) for e in derive(seen.replace(expressions=()))}


def _replace(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    # "the bottom tank" turned a quarter is "the right tank"; the derived phrases say "rightmost".
    parts = text.split(" ", 2)
    most = {"left": "leftmost", "right": "rightmost", "top": "topmost"}
    return " ".join([parts[0], most.get(parts[1], parts[1]), *parts[2:]])


@given(st.sampled_from(list(Turn)), st.randoms(use_true_random=False))
def test_a_turn_and_its_inverse_give_back_the_sample(turn: Turn, rng: Random) -> None:
    sample, picture = scene(FOUR)
    sample = sample.replace(
        captions=("a tank is in the upper left corner .", "some tanks near a road ."),
        questions=(
            Question("Where is the largest tank?", "up", "location"),
            Question("Any ships?", "no", "presence"),
        ),
        expressions=(Expression("the top-left tank", sample.regions[0].box, sample.regions[0].polygon),),
    )
    forth = ViewTransform.of(sample, turn)
    seen = forth.sample(sample)
    assert seen
    back = ViewTransform.of(seen, turn.inverse)
    assert back.apply(forth.apply(picture)).tobytes() == picture.tobytes()
    again = back.sample(seen)
    assert again
    assert again.replace(regions=(), expressions=()) == sample.replace(regions=(), expressions=())
    assert [r.box for r in again.regions] == [r.box for r in sample.regions]
    assert [(e.phrase, e.box, e.polygon) for e in again.expressions] == [
        (e.phrase, e.box, e.polygon) for e in sample.expressions
    ]


def test_crops_leave_out_what_they_may_make_wrong() -> None:
    sample, _ = scene([])
    sample = sample.replace(
        captions=("two planes are on the ground .", "a lake in the left part .", "planes stand near a hall ."),
        questions=(
            Question("What is the theme of this picture?", "airport", "theme"),
            Question("Does this picture contain an airplane?", "yes", "presence"),
            Question("Does this picture contain trees?", "no", "presence"),
            Question("How many cars in the picture?", "eight", "count"),
            Question("How many boats in the picture?", "zero", "count"),
            Question("What is the location of the cars in this picture?", "left and right", "location"),
        ),
        expressions=(Expression("the red car", (50, 40, 60, 50)), Expression("the left car", (50, 40, 60, 50)),
                     Expression("the bus", (0, 0, 30, 20))),
    )  # fmt: skip
    seen = ViewTransform.of(sample, window=(10, 10, 110, 75)).sample(sample)
    assert seen
    assert seen.captions == ("planes stand near a hall .",)
    assert [q.answer for q in seen.questions] == ["airport", "no", "zero"]
    assert seen.expressions == (Expression("the red car", (40, 30, 50, 40)),)
    assert (seen.width, seen.height) == (100, 65)


def test_a_view_never_loses_the_last_caption_or_cuts_an_object_in_doubt() -> None:
    counting, _ = scene([])
    counting = counting.replace(captions=("there are two tennis courts .",))
    doubtful = counting.replace(captions=("a house is in the northwest .",))
    whole_width, _ = scene([(0, 30, 120, 33)])
    for seed in range(60):
        seen, transform = random_view(counting, Random(seed))
        assert seen.captions == counting.captions
        assert not transform.crops
        seen, transform = random_view(doubtful, Random(seed))
        assert seen.captions == doubtful.captions
        assert transform.turn in (Turn.NONE, Turn.TRANSPOSE)  # which leave the top left corner where it is
        seen, _ = random_view(whole_width, Random(seed))
        assert len(seen.regions) == 1


def test_views_repeat_with_the_seed_and_can_be_limited() -> None:
    sample, _ = scene(FOUR)
    assert random_view(sample, Random(5)) == random_view(sample, Random(5))
    plain = {random_view(sample, Random(seed), dihedral=False, crop=(1, 1))[1] for seed in range(20)}
    assert plain == {ViewTransform.of(sample)}
    turns = [random_view(sample, Random(seed), crop=(1, 1))[1].turn for seed in range(400)]
    assert all(30 <= turns.count(turn) <= 75 for turn in Turn)
    crops = [random_view(sample.replace(regions=()), Random(seed), crop=(0.5, 0.6))[1] for seed in range(100)]
    assert 30 < sum(transform.crops for transform in crops) < 70
    assert all(58 <= t.window[2] - t.window[0] <= 73 for t in crops if t.crops)


def test_slivers_halves_and_doubts() -> None:
    regions = [Region("a", (0, 0, 10, 10)), Region("b", (90, 40, 110, 50)), Region("c", (40, 40, 50, 50))]
    cut = cut_regions(regions, (9, 0, 100, 100))
    assert cut.clean
    assert not cut.whole
    assert [(r.name, r.box) for r in cut.regions] == [("b", (81, 40, 91, 50)), ("c", (31, 40, 41, 50))]
    assert not cut_regions(regions, (7, 0, 100, 100)).clean
    assert visible_share((0, 0, 10, 10), (5, 5, 20, 20)) == 0.25
    assert visible_share((0, 0, 10, 10), (10, 0, 20, 20)) == 0


def test_polygons_are_clipped_to_the_window() -> None:
    triangle = (0.0, 0.0, 20.0, 0.0, 0.0, 20.0)
    clipped = cut_polygon(triangle, (2, 0, 12, 30))
    points = list(zip(clipped[::2], clipped[1::2], strict=True))
    area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise([*points, points[0]]))) / 2
    assert area == pytest.approx(18 * 18 / 2 - 8 * 8 / 2)
    assert all(0 <= x <= 10 for x, _ in points)
    assert cut_polygon(triangle, (100, 100, 120, 120)) == ()


def test_views_of_miniatures_open_and_are_quick(miniatures: Path) -> None:
    samples = [s for name in ("ucm-captions", "rsicd", "airbus-oil-storage")
               for s in get_source(name, miniatures).samples("train")]  # fmt: skip
    for sample in samples[:12]:
        seen, transform = random_view(sample, Random(1))
        assert transform.apply(open_sample(sample)).size == (seen.width, seen.height)
    start = process_time()
    for seed in range(1000):
        random_view(samples[seed % len(samples)], Random(seed))
    assert process_time() - start < 2  # 0.1 ms each here; a training decodes a picture in a few
