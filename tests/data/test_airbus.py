"""Tiles of the Airbus scenes: counts are honest, the grid is fixed, random tiles follow the same rules."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from skymoe.data.cuts import KEPT, SLIVER, visible_share
from skymoe.data.sources.airbus import EMPTY, MOST, SMALLEST, TANK, AirbusOilStorage, distinct, scene_splits
from skymoe.pictures import open_sample
from skymoe.sample import Sample
from skymoe.tasks import get_task


def follows_the_rules(sample: Sample, tanks: list[tuple[float, float, float, float]]) -> bool:
    """The rules as the class docstring words them, checked against the whole scene."""
    assert sample.window
    left, top, _, _ = sample.window
    shares = [visible_share(tank, sample.window) for tank in tanks]
    counted = [tank for tank, share in zip(tanks, shares, strict=True) if share >= KEPT]
    boxes = [region.box for region in sample.regions]
    expected = [
        (max(x1 - left, 0), max(y1 - top, 0), min(x2 - left, sample.width), min(y2 - top, sample.height))
        for x1, y1, x2, y2 in counted
    ]
    return (
        boxes == expected
        and sample.complete == {TANK}
        and sample.width == sample.height
        and not any(SLIVER < share < KEPT for share in shares)
        and len(boxes) <= MOST
        and all(max(x2 - x1, y2 - y1) >= SMALLEST * sample.width for x1, y1, x2, y2 in boxes)
        and (bool(boxes) or max(shares, default=0) == 0)
    )


def test_tiles_of_all_splits_follow_the_rules(miniatures: Path) -> None:
    source = AirbusOilStorage(miniatures)
    scenes = {scene.image: [region.box for region in scene.regions] for scene in source.scenes()}
    assert Counter(scene.split for scene in source.scenes()) == {"train": 6, "val": 1, "test": 2}
    for split in ("train", "val", "test"):
        samples = list(source.samples(split))
        assert len({sample.id for sample in samples}) == len(samples) > 3
        assert all(follows_the_rules(sample, scenes[sample.image]) for sample in samples)


def test_random_tiles_follow_the_rules_and_repeat_with_the_seed(miniatures: Path) -> None:
    source = AirbusOilStorage(miniatures)
    draws = source.training_items("train")
    assert len(draws) == 6
    scenes = {scene.image: [region.box for region in scene.regions] for scene in source.scenes("train")}
    tiles = [draw(Random(seed)) for seed in range(60) for draw in draws if callable(draw)]
    assert tiles[:60] == [draw(Random(seed)) for seed in range(10) for draw in draws if callable(draw)]
    assert all(follows_the_rules(tile, scenes[tile.image]) for tile in tiles)
    assert len({(tile.image, tile.window) for tile in tiles}) > 300
    assert 0.05 < mean(not tile.regions for tile in tiles) < 0.3
    assert len({len(tile.regions) for tile in tiles}) > 5
    assert open_sample(tiles[0]).size == (tiles[0].width, tiles[0].height)


def test_a_tank_is_where_its_box_is(miniatures: Path) -> None:
    source = AirbusOilStorage(miniatures)
    for sample in source.samples("test"):
        picture = open_sample(sample)
        for region in sample.regions:
            if region.box[0] > 0 and region.box[2] < sample.width and region.box[3] < sample.height:
                centre = ((region.box[0] + region.box[2]) // 2, (region.box[1] + region.box[3]) // 2)
                assert min(picture.getpixel((int(centre[0]), int(centre[1])))) > 200


def test_boxes_without_height_are_repaired_and_second_boxes_dropped(miniatures: Path) -> None:
    source = AirbusOilStorage(miniatures)
    lines = (miniatures / "Airbus-OilStorage/annotations.csv").read_text().splitlines()[1:]
    tanks = [region.box for scene in source.scenes() for region in scene.regions]
    assert len(tanks) == len(lines) - 1
    assert all(x2 > x1 and y2 > y1 for x1, y1, x2, y2 in tanks)
    assert distinct([(0, 0, 10, 10), (1, 0, 11, 10), (6, 0, 16, 10)]) == [(0, 0, 10, 10), (6, 0, 16, 10)]


def test_splits_depend_on_names_only() -> None:
    names = [f"scene-{number}" for number in range(45)]
    splits = scene_splits(names)
    assert Counter(splits.values()) == {"train": 31, "val": 5, "test": 9}
    assert scene_splits(names[::-1]) == splits
    assert list(splits) == sorted(names)


def test_a_scene_without_its_picture_is_quarantined(damaged: Path) -> None:
    source = AirbusOilStorage(damaged)
    gone, kept = source.scenes("test")
    Path(gone.image).unlink()
    assert {sample.image for sample in source.samples("test")} == {kept.image}
    assert [(q.entry, q.reason) for q in source.quarantined] == [
        (gone.id, f"picture {gone.id}.jpg is missing")
    ]
    source.training_items("train")
    assert source.quarantined == []


@pytest.mark.data
def test_real_tiles(real: Path) -> None:
    source = AirbusOilStorage(real)
    if not source.state().found:
        pytest.skip(f"no Airbus-OilStorage in {real}")
    scenes = source.scenes()
    assert Counter(scene.split for scene in scenes) == {"train": 31, "val": 5, "test": 9}
    assert sum(len(scene.regions) for scene in scenes) == 8663
    tanks = {scene.image: [region.box for region in scene.regions] for scene in scenes}
    test = list(source.samples("test"))
    assert all(follows_the_rules(sample, tanks[sample.image]) for sample in test)
    assert mean(not sample.regions for sample in test) == pytest.approx(EMPTY, abs=0.01)
    counts = [len(sample.regions) for sample in test]
    assert {0, 1, 2, 5, 10, 20, 40} <= set(counts)
    assert all(
        int(get_task("count").queries(s)[0].target or "") == n for s, n in zip(test, counts, strict=True)
    )
