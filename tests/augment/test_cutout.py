from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from tests.augment.pictures import NAME, grid, original, scene

from skymoe.augment import RefusedError, check, cutout
from skymoe.augment.check_geometry import inside
from skymoe.augment.cutout import draw_ratios, maskable
from skymoe.augment.stencils import shape
from skymoe.boxes import Box, polygon_bounds
from skymoe.errors import UserError
from skymoe.sample import Region


def test_four_distinct_counts_exist_from_17_objects_on() -> None:
    # What the paper promises (four variants) is possible for 17 objects and more, and always a tenth of them differs.
    assert all(len(maskable(n)) >= 4 for n in range(17, 2000))
    assert len(maskable(16)) < 4
    assert all(10 * m >= n for n in range(2, 2000) for m in maskable(n))
    assert list(maskable(20)) == [3, 4, 5, 6]


@settings(deadline=None)
@given(st.integers(2, 400), st.integers(1, 8), st.integers())
def test_ratios_give_different_masked_counts_that_follow_from_them(
    count: int, variants: int, seed: int
) -> None:
    drawn = draw_ratios(count, variants, Random(seed))
    assert len(drawn) == min(variants, len(maskable(count)))
    assert len({m for m, _ in drawn}) == len(drawn)
    for m, ratio in drawn:
        assert 0.15 <= ratio <= 0.30
        assert math.ceil(ratio * count - 1e-9) == m < count


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 24), st.integers(0, 99), st.sampled_from(["zero", "mean"]), st.booleans())
def test_every_cutout_passes_the_checker(objects: int, seed: int, fill: str, turned: bool) -> None:
    sample, pixels = scene(grid(6, 4)[:objects], turned=turned)
    untouched = pixels.copy()
    outcome = cutout(sample, pixels, seed=seed, fill=fill)
    assert (pixels == untouched).all()
    counts = set()
    for variant in outcome.variants:
        assert check(original(sample), variant.sample, pixels, variant.pixels) == []
        assert variant.sample.pair == sample.id
        assert variant.sample.label == "industrial"
        counts.add(variant.sample.count(NAME))
    assert len(counts) == len(outcome.variants) == min(4, len(maskable(objects)))
    assert len(outcome.variants) + sum(outcome.missing.values()) == 4


def test_zero_filling_is_exactly_the_box() -> None:
    sample, pixels = scene(grid(2, 1))
    (variant,) = cutout(sample, pixels).variants
    (masked,) = variant.sample.edits[0].before
    x1, y1, x2, y2 = (int(v) for v in masked.box)
    expected = pixels.copy()
    expected[y1:y2, x1:x2] = 0
    assert (variant.pixels == expected).all()


def test_the_same_seed_gives_the_same_pictures_and_another_others() -> None:
    sample, pixels = scene(grid(6, 4))
    once, again, other = (cutout(sample, pixels, seed=seed).variants for seed in (1, 1, 2))
    assert [v.sample for v in once] == [v.sample for v in again]
    assert all((a.pixels == b.pixels).all() for a, b in zip(once, again, strict=True))
    assert [v.sample.regions for v in once] != [v.sample.regions for v in other]


def test_inpainting_puts_ground_where_the_objects_were() -> None:
    sample, pixels = scene(grid(4, 3, step=70, start=40), size=(320, 240))
    outcome = cutout(sample, pixels, fill="inpaint", variants=2)
    assert outcome.variants
    for variant in outcome.variants:
        assert check(original(sample), variant.sample, pixels, variant.pixels) == []
        for region in variant.sample.edits[0].before:
            x1, y1, x2, y2 = (int(v) for v in region.box)
            assert (
                abs(float(variant.pixels[y1:y2, x1:x2].mean()) - 119) < 12
            )  # the ground's mean, not the roof's 224


def test_overlapping_objects_go_together_and_other_classes_are_never_covered() -> None:
    sample, pixels = scene([(40, 40), (55, 40), (120, 40), (200, 40), (40, 150), (120, 150)])
    pier = Region("harbor", (100, 20, 140, 60))
    sample = sample.replace(regions=(*sample.regions, pier))
    for seed in range(12):
        for variant in cutout(sample, pixels, seed=seed).variants:
            masked = variant.sample.edits[0].before
            # The overlapping pair is masked as one, the tank in the harbour never.
            assert (sample.regions[0] in masked) == (sample.regions[1] in masked)
            assert sample.regions[2] not in masked
            assert check(original(sample), variant.sample, pixels, variant.pixels) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"complete": frozenset()}, "class not annotated exhaustively"),
        ({"regions": ()}, "no object"),
    ],
)
def test_refusals_say_why_in_one_line(changes: dict[str, object], reason: str) -> None:
    sample, pixels = scene(grid(3, 1), **changes)
    with pytest.raises(RefusedError) as refusal:
        cutout(sample, pixels)
    assert refusal.value.reason == reason
    assert str(refusal.value).startswith("drawn/1: ")
    assert "\n" not in str(refusal.value)


def test_one_object_cannot_be_masked() -> None:
    sample, pixels = scene([(60, 60)])
    with pytest.raises(RefusedError, match="only one storage tank"):
        cutout(sample, pixels)
    with pytest.raises(UserError, match="choose one of zero, mean, inpaint"):
        cutout(sample, pixels, fill="pink")


def test_texts_that_count_or_name_the_class_go_and_the_scene_stays() -> None:
    captions = ("some storage tanks near a road", "six cars stand here", "a road beside a meadow")
    sample, pixels = scene(grid(3, 2), captions=captions)
    (variant, *_) = cutout(sample, pixels).variants
    assert variant.sample.captions == ("a road beside a meadow",)
    assert variant.pixels.dtype == np.uint8


def test_what_is_painted_is_the_polygon_and_hardly_more() -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        x, y, w, h, angle = rng.uniform((60, 60, 4, 4, -90), (120, 120, 70, 40, 90)).tolist()
        # Whole pixels, as data sets write them: middles of pixels then lie on the outlines.
        corners = tuple(float(round(v)) for v in Box(x, y, x + w, y + h, angle).polygon())
        region = Region(NAME, polygon_bounds(corners), corners)
        painted = np.zeros((260, 260), np.bool_)
        shape(region, 260, 260).paint(painted)
        for grow in (0.0, 2.0):
            window, within = inside(region, painted.shape, grow)
            reached = np.zeros_like(painted)
            reached[window] = within
            missed = reached & ~painted if grow == 0 else painted & ~reached
            assert not missed.any(), (corners, grow)


def test_the_mask_of_a_skewed_polygon_stays_within_two_pixels() -> None:
    # A vehicle of DOTA's P1088, whose corner was once overpainted.
    sample, pixels = scene([], size=(300, 520))
    skewed = (245.0, 478.0, 244.0, 499.0, 197.0, 501.0, 199.0, 481.0)
    regions = (
        Region(NAME, (197.0, 478.0, 245.0, 501.0), skewed),
        Region(NAME, (20.0, 478.0, 68.0, 501.0), tuple(v - 177 * (i % 2 == 0) for i, v in enumerate(skewed))),
    )
    sample = sample.replace(regions=regions)
    for seed in range(4):
        (variant,) = cutout(sample, pixels, seed=seed).variants
        assert check(original(sample), variant.sample, pixels, variant.pixels) == []
