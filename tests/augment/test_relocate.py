from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cv2", reason="augmentation needs OpenCV: pip install 'skymoe[augment]'")

from tests.augment.pictures import NAME, original, scene

from skymoe.augment import RefusedError, check, relocate
from skymoe.augment.phrases import CELLS, cell_of_phrase, move_phrase
from skymoe.boxes import iou
from skymoe.sample import Expression, Question
from skymoe.tasks.expressions import names_one

FOUR = [(60, 50), (230, 60), (70, 190), (160, 120)]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 999), st.booleans(), st.integers(2, 4))
def test_every_relocation_passes_the_checker(seed: int, turned: bool, objects: int) -> None:
    sample, pixels = scene(FOUR[:objects], turned=turned)
    untouched = pixels.copy()
    outcome = relocate(sample, pixels, seed=seed)
    assert (pixels == untouched).all()
    (variant,) = outcome.variants
    assert check(original(sample), variant.sample, pixels, variant.pixels) == []
    (edit,) = variant.sample.edits
    (old,), (new,) = edit.before, edit.after
    # The box lies in the cell that the phrase names, on nothing else.
    column, row = CELLS[cell_of_phrase(edit.phrase[1], [NAME])]
    assert column * 100 <= new.box[0] < new.box[2] <= (column + 1) * 100
    assert row * 80 <= new.box[1] < new.box[3] <= (row + 1) * 80
    assert all(iou(new.box, other.box) < 0.1 for other in variant.sample.regions if other != new)
    assert (new.box[2] - new.box[0], new.box[3] - new.box[1]) == pytest.approx(
        (old.box[2] - old.box[0], old.box[3] - old.box[1])
    )
    assert names_one(edit.phrase[1], variant.sample.regions, sample.width, sample.height)
    assert variant.sample.expressions[0] == Expression(edit.phrase[1], new.box, new.polygon)
    assert variant.sample.count(NAME) == sample.count(NAME)


def test_the_same_seed_gives_the_same_picture() -> None:
    sample, pixels = scene(FOUR)
    once, again = (relocate(sample, pixels, seed=5).variants[0] for _ in range(2))
    assert once.sample == again.sample
    assert (once.pixels == again.pixels).all()


def test_the_data_sets_own_phrase_is_the_one_that_is_changed() -> None:
    sample, pixels = scene(FOUR[:3])
    said = Expression("A white storage tank in the top right corner", sample.regions[1].box)
    sample = sample.replace(expressions=(said, Expression("the tank by the road", sample.regions[0].box)))
    found = [relocate(sample, pixels, seed=seed).variants[0].sample for seed in range(8)]
    phrases = [one.edits[0].phrase for one in found if one.edits[0].before == (sample.regions[1],)]
    assert phrases
    for before, after in phrases:
        assert before == said.phrase
        assert after.startswith("A white storage tank in the ")
        assert after != before
    # What cannot be shown to be still true is gone.
    assert all("by the road" not in e.phrase for one in found for e in one.expressions)


@pytest.mark.parametrize(
    ("phrase", "cell", "expected"),
    [
        ("the bottom plane", "top right", ("the top-right plane", "bottom", "top-right")),
        ("The upper left ship", "center", ("The central ship", "upper left", "central")),
        ("a ship on the left", "top", ("a ship in the top", "left", "top")),
        (
            "the ship in the top left corner", "bottom right",
            ("the ship in the bottom right corner", "top left", "bottom right"),
        ),
        ("the ship in the top left corner", "right", ("the ship in the right part", "top left", "right")),
        ("the ship at the bottom of the image", "center", ("the ship in the middle of the image", "bottom", "middle")),
        ("the largest ship", "top", None),
        ("the left ship on the right", "top", None),
    ],
)  # fmt: skip
def test_words_of_place_are_swapped(phrase: str, cell: str, expected: tuple[str, str, str] | None) -> None:
    assert move_phrase(phrase, cell) == expected
    if expected is not None:
        assert cell_of_phrase(expected[0], ["plane", "ship"]) == cell


@pytest.mark.parametrize(
    ("centres", "changes", "reason"),
    [
        ([(60, 60), (200, 60)], {"complete": frozenset()}, "no phrase of place"),
        ([], {}, "no phrase of place"),
        ([(5, 60)], {}, "cut by the picture's edge"),
    ],
)
def test_refusals_say_why(centres: list[tuple[int, int]], changes: dict[str, object], reason: str) -> None:
    sample, pixels = scene(centres, **changes)
    with pytest.raises(RefusedError) as refusal:
        relocate(sample, pixels)
    assert refusal.value.reason == reason
    assert "\n" not in str(refusal.value)


def test_there_must_be_room_and_free_ground() -> None:
    sample, pixels = scene([(90, 90)], radius=60)
    with pytest.raises(RefusedError, match="no room in a cell"):
        relocate(sample, pixels)
    crowded, pixels = scene([(60, 60), (80, 60)])
    with pytest.raises(RefusedError, match="touches another object"):
        relocate(crowded, pixels)


def test_texts_of_place_go() -> None:
    asked = (
        Question("Is there a meadow?", "yes", "presence"),
        Question("Where is the road?", "left", "location"),
    )
    sample, pixels = scene(FOUR, captions=("a road on the left", "a green meadow"), questions=asked)
    (variant,) = relocate(sample, pixels).variants
    assert variant.sample.captions == ("a green meadow",)
    assert variant.sample.questions == asked[:1]


def test_what_is_ground_is_called_as_the_data_sets_call_it() -> None:
    from skymoe.augment.edited import GROUND
    from skymoe.data.sources.dior import NAMES
    from skymoe.data.sources.dota import CLASSES
    from skymoe.data.sources.fair1m import PLACES
    from skymoe.data.sources.hrrsd import Hrrsd
    from skymoe.data.sources.rsod import Rsod

    words = {
        *NAMES.values(),
        *CLASSES["2.0"].values(),
        *PLACES.values(),
        *Hrrsd.names.values(),
        *Rsod.names.values(),
    }
    # Scenes and the users' own files have these.
    assert words >= GROUND - {"golf course", "runway"}
    assert {"soccer field", "football field", "playground", "crossroad", "parking lot"} <= GROUND
