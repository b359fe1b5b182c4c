"""DOTA: versions, layouts, tiles, and the four real pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from data.sources.miniatures import dota
from skymoe.boxes import polygon_area
from skymoe.data.cuts import KEPT, SLIVER, cut_polygon
from skymoe.data.sources import data_root, get_source, verify
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Sample


@pytest.fixture
def root(tmp_path: Path) -> Path:
    dota.write(tmp_path)
    return tmp_path


def whole(root: Path, split: str = "train", **options: object) -> dict[str, Sample]:
    source = get_source("dota", root, side=0, **options)
    return {sample.id: sample for sample in source.samples(split)}


def test_the_newest_version_is_read_unless_one_is_named(root: Path) -> None:
    newest = whole(root)
    assert list(newest) == ["dota/P0000", "dota/P0001", "dota/P2001"]
    assert [r.name for r in newest["dota/P2001"].regions] == ["airport", "helipad"]
    assert len(newest["dota/P0000"].complete) == 18
    middle = whole(root, version="v1.5")
    assert middle["dota/P0000"].count("container crane") == 1
    first = get_source("dota", root, side=0, version="1.0")
    (_, second) = first.samples("train")
    assert second.regions[0].name == "small vehicle"
    assert second.count("small vehicle") is None  # the small ones have no box in 1.0
    assert [one.entry for one in first.quarantined] == ["P2001"]
    with pytest.raises(UserError, match=r"dota: there is no version '3'; choose one of 2\.0, 1\.5, 1\.0"):
        get_source("dota", root, version="3")


def test_only_one_version_unpacked(root: Path) -> None:
    shutil.rmtree(root / "DOTA/train/labelTxt-v2.0")
    shutil.rmtree(root / "DOTA/train/labelTxt")
    assert whole(root)["dota/P0000"].count("container crane") == 1
    with pytest.raises(UserError, match=r"dota: no labelTxt of version 2\.0 in .*train; unpack it there"):
        whole(root, version="2.0")


def test_boxes_difficulty_and_edges(root: Path) -> None:
    plane, slanted, hard, harbor = whole(root)["dota/P0000"].regions
    assert (plane.name, plane.box, plane.polygon) == ("airplane", (20, 20, 40, 60), None)
    assert slanted.polygon == (100, 100, 120, 120, 100, 140, 80, 120)
    assert (hard.difficult, plane.difficult) == (True, False)
    assert harbor.box == (280, 150, 300, 190)  # clipped to the picture
    assert [r.name for r in whole(root, "val")["dota/P0003"].regions] == ["soccer field"]


def test_tiles(root: Path) -> None:
    source = get_source("dota", root, side=150, overlap=30, empty=0)
    found = {sample.id: sample for sample in source.samples("train")}
    assert list(found)[:2] == ["dota/P0000/150/0-0", "dota/P0000/150/75-0"]
    assert found["dota/P0000/150/0-0"].count("storage tank") == 1  # of the other only a sliver is in it
    assert found["dota/P0000/150/75-0"].count("airplane") == 0
    assert found["dota/P0001"].window is None
    assert all(open_sample(sample).size == (sample.width, sample.height) for sample in found.values())


@pytest.mark.data
@pytest.mark.parametrize("side", [0, 1024, 400])
def test_the_real_pictures(side: int) -> None:
    root = data_root() / "DOTA-example"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    source = get_source("dota", root, side=side, overlap=100)
    assert source.state().found
    samples = list(source.samples("train"))
    assert source.quarantined == []
    scenes = {s.image: s for s in get_source("dota", root, side=0).samples("train")}
    assert {Path(path).stem: len(s.regions) for path, s in scenes.items()} == {
        "P0075": 2, "P0168": 36, "P0770": 22, "P1088": 34,
    }  # fmt: skip
    for sample in samples:
        window = sample.window or (0.0, 0.0, float(sample.width), float(sample.height))
        shares = [(region.name, share(region.polygon or corners(region.box), window))
                  for region in scenes[sample.image].regions]  # fmt: skip
        assert len(sample.regions) == sum(part >= KEPT for _, part in shares)
        unsure = {name for name, part in shares if SLIVER < part < KEPT}
        assert not unsure & sample.complete
        assert {"airplane", "swimming pool", "tennis court"} - unsure <= sample.complete
    if side == 400:
        assert len(samples) > 40
        assert any(region.polygon and len(region.polygon) > 8 for s in samples for region in s.regions)
        pixels = np.asarray(open_sample(samples[5]))
        assert pixels.shape == (samples[5].height, samples[5].width, 3)
        assert pixels.std() > 5


def corners(box: tuple[float, float, float, float]) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return x1, y1, x2, y1, x2, y2, x1, y2


def share(polygon: tuple[float, ...], window: tuple[float, float, float, float]) -> float:
    return polygon_area(cut_polygon(polygon, window)) / polygon_area(polygon)


def test_whole_pictures_are_compared_with_the_official_number(root: Path) -> None:
    checked = verify(get_source("dota", root), splits=["train"]).splits[0]
    assert (checked.found["pictures"], checked.official["pictures"]) == (3, 1830)
    assert "3 of 1,830 pictures" in checked.differences
    first = verify(get_source("dota", root, version="1.0"), splits=["train"]).splits[0]
    assert "2 of 1,411 pictures" in first.differences
