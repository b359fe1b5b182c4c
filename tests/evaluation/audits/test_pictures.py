"""Blind runs and coarser pictures: what the model gets to see, and the gaps that come of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evaluation.audits.conftest import Says, bench_of, count_item, count_white, row, tanks, values
from skymoe.errors import UserError
from skymoe.evaluation.audits import blind, resolution
from skymoe.evaluation.benchmarks import Item
from skymoe.sample import Sample


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 5))
def test_every_picture_gets_another_one_and_each_is_used_once(count: int, seed: int) -> None:
    samples = [Sample(str(n), "-", "-", "-", "-", 1, 1) for n in range(count)]
    others = blind.exchanged(samples, seed)
    assert sorted(others) == sorted(other.id for other in others.values()) == sorted(map(str, range(count)))
    assert all(name != other.id for name, other in others.items())


def test_a_model_that_looks_loses_all_without_the_picture(tmp_path: Path, counted: list[Item]) -> None:
    bench = bench_of(Says(count_white), counted, tmp_path / "out")
    told = values(blind.run(bench))
    assert told["accuracy: the picture"] == 1
    assert told["accuracy: another picture"] == 0  # all have different counts
    assert told["accuracy: its mean colour"] == told["MAE ↓: the picture"] + 1 / 6  # only the empty picture
    assert told["right answers, the picture minus its mean colour"] == pytest.approx(5 / 6)


def test_a_blind_model_loses_nothing(tmp_path: Path, counted: list[Item]) -> None:
    told = values(blind.run(bench_of(Says(lambda picture, query: "2"), counted, tmp_path / "out")))
    assert told["right answers, the picture minus its mean colour"] == 0
    assert told["right answers, the picture minus another picture"] == 0


def test_another_picture_comes_in_the_size_of_the_right_one(tmp_path: Path, counted: list[Item]) -> None:
    small = Image.new("RGB", (30, 20))
    other = blind.other_picture(counted[0], small, {counted[0].sample.id: counted[1].sample})
    assert other.size == (30, 20)


def test_one_picture_cannot_be_exchanged(tmp_path: Path, counted: list[Item]) -> None:
    with pytest.raises(UserError, match="only one picture"):
        blind.run(bench_of(Says(count_white), counted[:1], tmp_path / "out"))


def test_a_coarser_picture_keeps_its_size_and_its_colour_and_loses_detail() -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (90, 61, 3), dtype=np.uint8))
    assert resolution.coarser(picture, 1) is picture
    half, quarter = (resolution.coarser(picture, factor) for factor in (0.5, 0.25))
    assert half.size == quarter.size == picture.size
    spread = [np.asarray(one, dtype=float).std() for one in (picture, half, quarter)]
    assert spread[0] > 1.5 * spread[1] > 2 * spread[2]
    means = [np.asarray(one, dtype=float).mean() for one in (picture, half, quarter)]
    assert np.ptp(means) < 1
    assert resolution.coarser(Image.new("RGB", (1, 1)), 0.25).size == (1, 1)


def test_what_is_lost_is_told_pair_by_pair(tmp_path: Path) -> None:
    # A quarter of the detail melts neighbours that are one pixel apart.
    places = [(8, 8), (21, 8), (60, 60), (73, 60)]
    items = [count_item(tanks(tmp_path, n, places[: 2 * (n % 2) + 2])) for n in range(4)]
    found = resolution.run(bench_of(Says(count_white), items, tmp_path / "out"))
    told = values(found)
    assert told["accuracy: ×1"] == 1
    assert told["right answers lost at ×¼"] == pytest.approx(told["accuracy: ×1"] - told["accuracy: ×¼"])
    assert told["accuracy: ×¼"] < 1
    assert [shot["title"] for shot in found["examples"][0]["shots"]] == ["×1", "×½", "×¼"]


def test_captions_are_compared_too(tmp_path: Path, without_java: None) -> None:
    pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")
    from skymoe.tasks import Query

    said = "there are {} white tanks on green ground"
    samples = [tanks(tmp_path, n, row(n)).replace(captions=(said.format(n),)) for n in (1, 2, 3)]
    items = [Item(one.id, one, Query("caption", references=one.captions, official=True)) for one in samples]
    engine = Says(lambda picture, query: said.format(count_white(picture)))
    found = blind.run(bench_of(engine, items, tmp_path / "out"))
    told = values(found)
    assert told["CIDEr: the picture"] > told["CIDEr: its mean colour"]
    assert found["gaps"] == []
