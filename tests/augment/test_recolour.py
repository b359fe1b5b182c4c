from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from tests.augment.pictures import BLUE, NAME, WHITE, original, scene

from skymoe.augment import RefusedError, check, recolour
from skymoe.augment.check_colour import is_called
from skymoe.augment.colours import TARGETS, WORDS, move_chroma, names, shares, to_lab, to_pixels
from skymoe.augment.phrases import colour_words, swap_colour
from skymoe.sample import Expression, Region

TWO = [(80, 80), (220, 150)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 999), st.booleans())
def test_every_recolouring_passes_the_checker(seed: int, turned: bool) -> None:
    sample, pixels = scene(TWO, colours=[BLUE, WHITE], turned=turned, radius=20)
    untouched = pixels.copy()
    for variant in recolour(sample, pixels, seed=seed, variants=2).variants:
        assert check(original(sample), variant.sample, pixels, variant.pixels) == []
        (edit,) = variant.sample.edits
        assert edit.phrase[0] == f"the {edit.words[0]} {NAME}"
        assert edit.phrase[1] == f"the {edit.words[1]} {NAME}"
        assert variant.sample.regions == sample.regions
        assert any(
            e.phrase == edit.phrase[1] and e.box == edit.after[0].box for e in variant.sample.expressions
        )
    assert (pixels == untouched).all()


def test_lightness_stays_and_the_colour_is_what_the_word_says() -> None:
    rng = np.random.default_rng(3)
    lightness = rng.uniform(30, 60, 4000)
    blue = np.stack([lightness, rng.normal(10, 3, 4000), rng.normal(-45, 3, 4000)], 1).astype(np.float32)
    for colour in TARGETS:
        if colour == "yellow":  # is bright
            continue
        result = to_pixels(move_chroma(blue, np.ones(4000, bool), colour))
        back = to_lab(result[None])[0]
        assert np.abs(back[:, 0] - lightness).max() < 1.0
        assert (names(back) == WORDS.index(colour)).mean() > 0.9
        assert is_called(result, colour)
        assert not any(is_called(result, other) for other in TARGETS if other != colour)


def test_white_lines_on_a_coloured_court_stay_white() -> None:
    court = np.tile(np.array([[50.0, 5.0, -40.0]], np.float32), (100, 1))
    court[::10] = (95.0, 0.0, 0.0)
    moved = move_chroma(court, court[:, 0] < 60, "red")
    assert (np.hypot(moved[::10, 1], moved[::10, 2]) < 1).all()


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((200, 30, 30), "red"), ((250, 220, 40), "yellow"), ((40, 160, 60), "green"), ((30, 60, 200), "blue"),
        ((130, 40, 160), "purple"), ((250, 250, 248), "white"), ((128, 128, 128), "grey"), ((10, 10, 10), "black"),
        ((240, 140, 30), "orange"), ((110, 60, 25), "brown"),
    ],
)  # fmt: skip
def test_editor_and_checker_call_plain_colours_alike(rgb: tuple[int, int, int], word: str) -> None:
    pixels = np.tile(np.array(rgb, np.uint8), (50, 1))
    assert next(iter(shares(to_lab(pixels[None])[0]))) == word
    assert is_called(pixels, word)


def test_the_data_sets_own_phrase_needs_to_be_true() -> None:
    sample, pixels = scene(TWO, colours=[BLUE, WHITE], radius=20, complete=frozenset({NAME}))
    wrong = sample.replace(
        complete=frozenset(), expressions=(Expression("the green storage tank", sample.regions[0].box),)
    )
    with pytest.raises(RefusedError) as refusal:
        recolour(wrong, pixels)
    assert refusal.value.reason == "measured colour is not the phrase's"


def test_without_a_colour_that_names_one_object_nothing_is_done() -> None:
    alike, pixels = scene(TWO, colours=[WHITE, WHITE], radius=20)
    with pytest.raises(RefusedError) as refusal:
        recolour(alike, pixels)
    assert refusal.value.reason == "no colour word"
    assert "\n" not in str(refusal.value)


def test_white_cannot_become_red_with_its_lightness_kept() -> None:
    sample, pixels = scene([(150, 120)], colours=[(248, 248, 246)], radius=24)
    chosen = set()
    for seed in range(6):
        try:
            chosen.add(recolour(sample, pixels, seed=seed).variants[0].sample.edits[0].words[1])
        except RefusedError:
            continue
    assert chosen <= {"yellow", "green"}


def test_a_long_outline_is_taken_as_it_is() -> None:
    sample, pixels = scene([(150, 120)], colours=[BLUE], radius=30)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outline = tuple(float(v) for t in turns for v in (150 + 20 * np.cos(t), 120 + 20 * np.sin(t)))
    region = Region(NAME, (130, 100, 170, 140), outline)
    (variant,) = recolour(sample.replace(regions=(region,)), pixels).variants
    changed = (variant.pixels != pixels).any(axis=2)
    ys, xs = np.nonzero(changed)
    assert np.hypot(xs + 0.5 - 150, ys + 0.5 - 120).max() <= 21.5
    assert changed.sum() > 0.85 * np.pi * 20**2


@pytest.mark.parametrize(
    ("phrase", "colour", "expected"),
    [
        ("the red car", "blue", "the blue car"),
        ("A gray ship", "orange", "An orange ship"),
        ("an orange roof", "red", "a red roof"),
        ("The Green court", "red", "The Red court"),
    ],
)
def test_colour_words_are_swapped(phrase: str, colour: str, expected: str) -> None:
    assert swap_colour(phrase, colour) == expected
    assert colour_words(expected) == [colour]
