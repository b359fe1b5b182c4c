"""Two independent derivations of what a phrase names agree; the second finds planted mistakes."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from skymoe.data.colours import colour_phrases, colour_shares, lab
from skymoe.data.corpus.phrases import names_one
from skymoe.sample import Region, Sample
from skymoe.tasks.expressions import MODIFIERS, derive

SIDE = 200
PAINT = {
    "white": (245, 245, 240), "black": (18, 18, 20), "red": (200, 40, 40), "orange": (235, 135, 35),
    "yellow": (235, 215, 50), "green": (50, 150, 60), "blue": (40, 80, 200),
}  # fmt: skip


def sample_of(*regions: Region) -> Sample:
    return Sample(
        "s", "s.png", "drawn", "train", "CC0", SIDE, SIDE, regions=regions, complete=frozenset({"tank"})
    )


def painted(colours: list[str]) -> tuple[Sample, Image.Image]:
    picture = Image.new("RGB", (SIDE, SIDE), (120, 120, 120))
    pen = ImageDraw.Draw(picture)
    regions = []
    for place, colour in enumerate(colours):
        box = (10.0 + 45 * place, 60.0, 45.0 + 45 * place, 95.0)
        pen.ellipse(box, fill=PAINT.get(colour, (120, 120, 120)))
        regions.append(Region("tank", box))
    return sample_of(*regions), picture


boxes = st.tuples(st.integers(0, 150), st.integers(0, 150), st.integers(5, 49), st.integers(5, 49))


@settings(deadline=None, max_examples=60)
@given(st.lists(boxes, min_size=1, max_size=6))
def test_every_derived_phrase_names_that_object_by_the_other_rules_too(
    given_boxes: list[tuple[int, ...]],
) -> None:
    regions = [Region("tank", (x, y, x + w, y + h)) for x, y, w, h in given_boxes]
    for expression in derive(sample_of(*regions)):
        found = names_one(expression.phrase.removesuffix("tank"), regions, SIDE, SIDE, None)
        assert found.box == expression.box, expression


def test_the_other_rules_know_all_modifiers() -> None:
    spread = [
        Region("tank", (x, y, x + 10 + x / 9, y + 10 + x / 9)) for x in (5, 95, 170) for y in (5, 95, 165)
    ]
    said = []
    for modifier in MODIFIERS:
        with contextlib.suppress(ValueError):
            names_one(f"the {modifier}", spread[:1], SIDE, SIDE, None)
            said.append(modifier)
        with pytest.raises(ValueError, match="not understood"):
            names_one(f"the {modifier}ish", spread, SIDE, SIDE, None)
    assert {"largest", "smallest", "top-left", "leftmost", "topmost"} <= set(said)


@pytest.mark.parametrize(
    ("phrase", "why"),
    [("the", "2 of them"), ("the only", "2 of them"), ("the largest", "as large"), ("the topmost", "same place"),
     ("the rusty", "not understood"), ("the bottom-left", "that part")],
)  # fmt: skip
def test_what_names_none_or_two_is_told(phrase: str, why: str) -> None:
    two = [Region("tank", (10, 10, 30, 30)), Region("tank", (150, 10, 170, 30))]
    with pytest.raises(ValueError, match=why):
        names_one(phrase, two, SIDE, SIDE, None)


@pytest.mark.parametrize("colour", PAINT)
def test_a_clear_colour_of_one_object_is_named_and_confirmed(colour: str) -> None:
    sample, picture = painted(["grey", colour, "grey"])
    (phrase,) = colour_phrases(sample, picture)
    assert phrase.phrase == f"the {colour} tank"
    assert (
        names_one(f"the {colour}", sample.regions, SIDE, SIDE, picture).box
        == phrase.box
        == sample.regions[1].box
    )


@pytest.mark.parametrize("colours", [["red", "red"], ["grey", "grey"], ["red"]])
def test_no_colour_where_it_names_several_or_none_or_is_not_needed(colours: list[str]) -> None:
    assert colour_phrases(*painted(colours)) == []


def test_no_colour_where_another_is_nearly_as_bright() -> None:
    sample, picture = painted(["white", "grey"])
    ImageDraw.Draw(picture).ellipse(sample.regions[1].box, fill=(190, 190, 188))
    assert colour_phrases(sample, picture) == []


def test_lab_is_that_of_the_standard() -> None:
    """Values of the CIE formulas for sRGB white, red, green and blue (D65)."""
    rgb = np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    expected = [[100, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]]
    assert np.allclose(lab(rgb), expected, atol=0.05)


def test_shares_tell_how_much_of_an_object_has_a_colour() -> None:
    half = np.array([PAINT["red"]] * 5 + [PAINT["blue"]] * 5, np.uint8)
    shares = colour_shares(half)
    assert shares["red"] == shares["blue"] == 0.5
