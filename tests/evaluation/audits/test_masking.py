"""Masks hide what they say and nothing else, and the numbers tell counting from guessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.audits.conftest import Says, bench_of, count_item, count_white, row, tanks, values
from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Settings
from skymoe.evaluation.audits.masking import Masked, hide, masked_items, run
from skymoe.evaluation.audits.masking_numbers import Series, follow, numbers, slope, unmoved
from skymoe.evaluation.benchmarks import Item
from skymoe.pictures import open_sample


def made(item: Item, **settings: object) -> list[Masked]:
    found = masked_items(item, Settings(**settings))  # type: ignore[arg-type]
    assert not isinstance(found, str), found
    return found


@pytest.mark.parametrize("fill", ["zero", "mean", "inpaint"])
def test_exactly_the_masked_objects_are_hidden(tmp_path: Path, fill: str) -> None:
    item = count_item(tanks(tmp_path, 7, row(7)))
    before = np.asarray(open_sample(item.sample))
    versions = made(item, fill=fill)
    assert [one.query.target for one in versions] == ["7", "6", "4", "3", "1", "0", "7"]
    hidden: set[int] = set()
    for one in versions:
        after = np.asarray(hide(one, open_sample(one.sample), fill, 0))
        changed = (after != before).any(axis=2)
        if one.control:
            # As many pixels as the objects have, and none of an object.
            assert changed.sum() == 7 * 144 or fill != "zero"
            for region in one.sample.regions:
                x1, y1, x2, y2 = map(int, region.box)
                assert not changed[y1:y2, x1:x2].any()
            continue
        assert set(one.masked) >= hidden, "what was hidden must stay hidden"
        hidden = set(one.masked)
        for place, region in enumerate(one.sample.regions):
            x1, y1, x2, y2 = map(int, region.box)
            assert changed[y1:y2, x1:x2].all() == (place in hidden)
            assert changed[y1:y2, x1:x2].any() == (place in hidden)
            changed[y1:y2, x1:x2] = False
        if fill == "zero":
            assert not changed.any()
            assert (after[before[..., 0] == 250].min(axis=1) == 0).sum() == 144 * len(hidden)
        assert count_white(hide(one, open_sample(one.sample), fill, 0)) == one.query.target


def test_few_objects_go_one_by_one(tmp_path: Path) -> None:
    item = count_item(tanks(tmp_path, 4, row(4)))
    assert [one.query.target for one in made(item)] == ["4", "3", "2", "1", "0", "4"]
    assert [one.query.target for one in made(item, steps=1)] == ["4", "0", "4"]


def test_the_same_seed_masks_the_same(tmp_path: Path) -> None:
    item = count_item(tanks(tmp_path, 9, row(9)))
    assert made(item) == made(item)
    assert [one.masked for one in made(item)] != [one.masked for one in made(item, seed=1)]


def test_objects_that_overlap_are_hidden_together(tmp_path: Path) -> None:
    item = count_item(tanks(tmp_path, 3, [(8, 8), (14, 14), (60, 60)]))
    for one in made(item):
        assert len({0, 1} & set(one.masked)) in (0, 2)


def test_what_cannot_be_masked_is_left_out_and_told(tmp_path: Path, counted: list[Item]) -> None:
    overlapped = count_item(tanks(tmp_path, 50, row(2), other=True))
    unknown = tanks(tmp_path, 51, row(2))
    vague = Item("vague", unknown.replace(id="vague", complete=frozenset()), counted[0].query)
    found = run(bench_of(Says(count_white), [*counted, overlapped, vague], tmp_path / "out"))
    assert found["left_out"] == {
        "no object to mask": 1,
        "an object overlaps one of another class": 1,
        "class not annotated exhaustively": 1,
    }
    assert found["pictures"] == 5
    with pytest.raises(UserError, match="no object to mask"):
        run(bench_of(Says(count_white), counted[-1:], tmp_path / "none"))
    with pytest.raises(UserError, match="zero, mean, inpaint"):
        run(bench_of(Says(count_white), counted, tmp_path / "fill", fill="blue"))


def test_a_model_that_counts_passes(tmp_path: Path, counted: list[Item]) -> None:
    found = run(bench_of(Says(count_white), counted, tmp_path / "out"))
    told = values(found)
    assert told["slope of predicted against true count"] == pytest.approx(1)
    assert told["answers that did not move"] == 0
    assert told["count with everything masked"] == 0
    assert told["control: the same answer, masks beside the objects"] == 1
    assert [point["value"] for point in found["curve"]] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    assert [group["name"] for group in found["groups"]] == ["1–2", "3–5", "6–10", "11–20"]
    assert found["examples"][0]["shots"][-1]["title"] == "control"


def test_a_model_that_guesses_from_the_surroundings_is_found_out(tmp_path: Path, counted: list[Item]) -> None:
    # The ground's green tells the picture, and so the number it was made with.
    guess = Says(lambda picture, query: str(picture.getpixel((0, 0))[1] - 110))
    told = values(run(bench_of(guess, counted, tmp_path / "out")))
    assert told["slope of predicted against true count"] == 0
    assert told["answers that did not move"] == told["the same, everything masked"] == 1
    assert told["the same, as a share of the true count"] == 1
    assert told["sees objects with everything masked"] == 1


def test_a_model_that_counts_black_squares_is_found_out_by_the_control(
    tmp_path: Path, counted: list[Item]
) -> None:
    def fewer(picture: object, query: object) -> str:
        black = (np.asarray(picture).max(axis=2) == 0).sum() // 144  # type: ignore[call-overload]
        return str(max(12 - black, 0))

    told = values(run(bench_of(Says(fewer), counted, tmp_path / "out")))
    assert told["control: the same answer, masks beside the objects"] == 0
    assert told["control: change of the count"] < 0


@settings(deadline=None)
@given(
    st.floats(-1, 2),
    st.lists(st.tuples(st.integers(2, 40), st.integers(0, 60)), min_size=1, max_size=6),
)
def test_the_slope_is_that_within_pictures(rate: float, pictures: list[tuple[int, int]]) -> None:
    series = [
        Series(str(n), total, {left: rate * left + offset for left in range(total + 1)})  # type: ignore[misc]
        for n, (total, offset) in enumerate(pictures)
    ]
    assert slope(series)["value"] == pytest.approx(rate, abs=1e-9)


def test_an_answer_that_cannot_be_read_has_not_moved() -> None:
    series = [Series("a", 4, {4: 4, 2: None, 0: None})]
    assert unmoved(series)["value"] == 1
    found = numbers(series, 5)
    assert found["unparsable"] == pytest.approx(2 / 3)
    assert values(found)["the same, as a share of the true count"] == 1


def test_lines_are_put_together_picture_by_picture() -> None:
    line = {"original": "a", "total": 2, "control": False}
    found = follow(
        [
            {**line, "reference": 2, "prediction": "There are two."},
            {**line, "reference": 0, "prediction": "none that I can see"},
            {**line, "reference": 2, "prediction": "3", "control": True},
        ]
    )
    assert found == [Series("a", 2, {2: 2, 0: found[0].said[0]}, 3, True)]
