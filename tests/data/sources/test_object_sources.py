"""The detection datasets in their official formats: what is read, counted, and set aside with its reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data.sources.miniatures import dior, dota, fair1m, hrrsd, nwpu_vhr10, rsod, visdrone
from skymoe.data.sources import Source, get_source
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.sample import Region, Sample
from skymoe.tasks import TASKS

MINIATURES: dict[str, ModuleType] = {
    "rsod": rsod, "hrrsd": hrrsd, "nwpu-vhr10": nwpu_vhr10, "dior": dior, "dota": dota, "visdrone": visdrone,
    "fair1m": fair1m,
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("objects")
    for module in MINIATURES.values():
        module.write(root)
    return root


@pytest.fixture
def damaged(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "data"))


def every(source: Source) -> dict[str, Sample]:
    return {sample.id: sample for split in source.splits for sample in source.samples(split)}


def read(name: str, root: Path, **options: Any) -> dict[str, Sample]:
    return every(get_source(name, root, **options))


def aside(source: Source) -> dict[str, str]:
    """What is quarantined in all splits: entry → reason."""
    found: dict[str, str] = {}
    for split in source.splits:
        list(source.samples(split))
        found |= {one.entry: one.reason for one in source.quarantined}
    return found


@pytest.mark.parametrize("name", MINIATURES)
def test_samples_are_valid_and_come_twice_the_same(name: str, written: Path) -> None:
    source = get_source(name, written)
    assert source.state().found
    assert "Licence:" in source.card
    assert "Citation:" in source.card
    ids: set[str] = set()
    for split in source.splits:
        samples = list(source.samples(split))
        assert samples == list(source.samples(split)) == list(get_source(name, written).samples(split))
        for sample in samples:
            assert (sample.source, sample.split) == (name, split)
            assert sample.id not in ids
            ids.add(sample.id)
            assert open_sample(sample).size == (sample.width, sample.height)
            for region in sample.regions:
                x1, y1, x2, y2 = region.box
                assert 0 <= x1 < x2 <= sample.width
                assert 0 <= y1 < y2 <= sample.height
                assert region.name == region.name.lower()
            assert sample.complete or name == "visdrone"
            assert any(task.queries(sample) for task in TASKS.values()) or name == "visdrone"
    assert ids


@pytest.mark.parametrize("name", MINIATURES)
def test_missing_folders_are_named(name: str, written: Path, damaged: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^{name}: no .* in .*; put it there or set SKYMOE_DATA$"):
        get_source(name, tmp_path / "nowhere").samples("train")
    shutil.rmtree((damaged / MINIATURES[name].ANNOTATION).parent)
    if name in ("rsod", "fair1m", "dota"):
        return  # another part or version of it is still there
    if name == "visdrone":
        assert "has no annotation" in set(aside(get_source(name, damaged)).values()).pop()
        return
    with pytest.raises(UserError, match="no "):
        list(get_source(name, damaged).samples("train"))


@pytest.mark.parametrize("name", MINIATURES)
def test_a_missing_or_damaged_picture_is_set_aside_and_the_rest_goes_on(name: str, damaged: Path) -> None:
    before, known = read(name, damaged, **whole(name)), aside(get_source(name, damaged, **whole(name)))
    path = damaged / MINIATURES[name].PICTURE
    path.write_bytes(path.read_bytes()[:20])
    source = get_source(name, damaged, **whole(name))
    assert len(every(source)) == len(before) - 1
    (reason,) = [why for entry, why in aside(source).items() if entry not in known]
    assert reason == f"picture {path.name} is damaged"
    path.unlink()
    assert len(every(source)) == len(before) - 1
    assert len([entry for entry in aside(source) if entry not in known]) == 1 or name == "nwpu-vhr10"


@pytest.mark.parametrize("name", MINIATURES)
@pytest.mark.parametrize("kind", ["truncated", "corrupt", "missing"])
def test_a_damaged_annotation_is_set_aside_with_its_reason(name: str, kind: str, damaged: Path) -> None:
    before, known = read(name, damaged, **whole(name)), aside(get_source(name, damaged, **whole(name)))
    path = damaged / MINIATURES[name].ANNOTATION
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"\xff\xfe\x00\x80nonsense")
    source = get_source(name, damaged, **whole(name))
    after, new = every(source), {e: why for e, why in aside(source).items() if e not in known}
    assert new
    for entry, reason in new.items():
        assert reason
        assert "\n" not in reason
        if "#" in entry:  # one object of a picture, which makes no claim about numbers any more
            assert len(after) == len(before)
            assert after[f"{name}/{entry.partition('#')[0]}"].complete == frozenset()
        else:
            assert len(after) == len(before) - 1


def whole(name: str) -> dict[str, Any]:
    """Options that keep one sample a picture."""
    return {"side": 0} if name in ("dota", "fair1m") else {}


def test_rsod_counts_the_class_of_the_folder_only(written: Path) -> None:
    source = get_source("rsod", written)
    found = every(source)
    assert len(found) == rsod.PICTURES
    assert found["rsod/oiltank_3"].complete == {"storage tank"}
    assert found["rsod/oiltank_3"].count("storage tank") == 3
    assert found["rsod/aircraft_2"].regions[0] == Region("airplane", (0, 10, 8, 20))
    assert aside(source) == {"oiltank_99": "oiltank_99.jpg has no annotation"}


def test_rsod_repacked_in_two_folders(written: Path, tmp_path: Path) -> None:
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (tmp_path / "RSOD" / kind).mkdir(parents=True)
        for path in (written / "RSOD").rglob(f"*.{suffix}"):
            shutil.copy(path, tmp_path / "RSOD" / kind)
    again = read("rsod", tmp_path)
    assert {i: (s.regions, s.split) for i, s in again.items()} == {
        i: (s.regions, s.split) for i, s in read("rsod", written).items()
    }


def test_hrrsd_counts_what_is_annotated_and_never_says_that_nothing_is_there(written: Path) -> None:
    found = read("hrrsd", written)
    assert found["hrrsd/00001"].complete == {"storage tank"}
    assert found["hrrsd/00002"].complete == {"t-junction"}
    assert [r.name for r in found["hrrsd/00002"].regions] == ["t-junction", "vehicle"]
    assert [s.split for s in found.values()] == ["train", "train", "train", "val", "test", "test"]


def test_nwpu_vhr10_reads_blanks_and_its_negatives_have_nothing(written: Path) -> None:
    found = read("nwpu-vhr10", written)
    assert len(found) == nwpu_vhr10.PICTURES
    planes = found["nwpu-vhr10/positive-001"]
    assert [r.box for r in planes.regions] == [(10, 10, 20, 22), (30, 10, 40, 22)]
    assert (planes.count("airplane"), planes.count("ship")) == (2, 0)
    nothing = found["nwpu-vhr10/negative-001"]
    assert len(nothing.complete) == 10
    assert nothing.regions == ()
    assert sum(get_source("nwpu-vhr10").counts.values()) == 800


def test_dior_horizontal_and_oriented(written: Path, damaged: Path) -> None:
    flat, slanted = read("dior", written), read("dior", written, oriented=True)
    assert flat["dior/00001"].regions == (Region("golf field", (5, 5, 70, 50)),)
    assert slanted["dior/00001"].regions == (
        Region("golf field", (5, 5, 70, 50), (37.5, 5, 70, 27.5, 37.5, 50, 5, 27.5)),
    )
    assert [s.split for s in flat.values()] == ["train", "train", "val", "test", "test"]
    assert flat["dior/00003"].count("storage tank") == 2
    assert flat["dior/00003"].count("vehicle") is None
    assert {r.name for r in flat["dior/00002"].regions} == {"expressway service area", "vehicle"}
    shutil.rmtree(damaged / "DIOR/Annotations/Oriented Bounding Boxes")
    with pytest.raises(
        UserError, match=r"dior: no Annotations/Oriented Bounding Boxes in .*; unpack the oriented"
    ):
        list(get_source("dior", damaged, oriented=True).samples("train"))


def test_visdrone_leaves_out_what_nobody_annotated(written: Path) -> None:
    found = read("visdrone", written)
    people = found["visdrone/0000002_00005_d_0000014"]
    assert [r.name for r in people.regions] == ["person", "person", "car"]
    assert [r.difficult for r in people.regions] == [False, False, True]
    assert (people.count("person"), people.count("bus")) == (2, 0)
    cut = found["visdrone/0000003_00231_d_0000016"]
    assert cut.window == (0, 20, 100, 80)
    assert [r.box for r in cut.regions] == [(10, 20, 30, 30), (60, 20, 80, 30)]
    assert cut.count("car") == 1
    unclear = found["visdrone/0000007_04999_d_0000036"]
    assert (unclear.window, unclear.complete, len(unclear.regions)) == (None, frozenset(), 1)
    assert found["visdrone/0000001_02999_d_0000005"].count("tricycle") == 2
    tiled = read("visdrone", written, side=50, overlap=0, empty=1.0)
    assert "visdrone/0000007_04999_d_0000036/50/0-0" not in tiled
    assert read("visdrone", written, side=200, overlap=0) == found  # all of them are smaller than a tile


def test_visdrone_official_classes_do_not_count_what_is_a_part_of_another(written: Path) -> None:
    sample = read("visdrone", written, official=True)["visdrone/0000002_00005_d_0000014"]
    assert [r.name for r in sample.regions] == ["pedestrian", "person", "car"]
    assert sample.count("pedestrian") == 1
    assert sample.count("person") is None


def test_fair1m_parts_do_not_mix_and_coarse_classes_count_all(written: Path) -> None:
    fine = read("fair1m", written, side=0)
    assert list(fine) == ["fair1m/part1/0", "fair1m/part1/1", "fair1m/part2/1", "fair1m/val/0"]
    planes = fine["fair1m/part1/0"]
    assert [r.name for r in planes.regions] == ["boeing 737", "other airplane"]
    assert planes.regions[0].polygon is None
    assert planes.regions[1].polygon == (120, 80, 150, 95, 140, 110, 110, 95)
    assert (planes.count("boeing 737"), planes.count("other airplane"), planes.count("bus")) == (1, None, 0)
    coarse = read("fair1m", written, side=0, coarse=True)["fair1m/part1/0"]
    assert (coarse.count("airplane"), coarse.count("vehicle"), coarse.count("tennis court")) == (2, 0, 0)
    tiled = read("fair1m", written, side=100, overlap=20, empty=0)
    assert "fair1m/part1/0/100/0-0" in tiled


def test_fair1m_mirror_with_part1_alone(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written / "FAIR1M/train/part1/images", tmp_path / "FAIR1M/data/images")
    shutil.copytree(written / "FAIR1M/train/part1/labelXml", tmp_path / "FAIR1M/data/labelXmls")
    assert list(read("fair1m", tmp_path, side=0)) == ["fair1m/train/0", "fair1m/train/1"]


def test_objects_that_can_not_be_used_take_their_class_out_of_the_count(damaged: Path) -> None:
    path = damaged / "DOTA/train/labelTxt/P0000.txt"
    path.write_text(
        "20 20 40 20 40 60 20 60 plane 0\n20 20 40 20 40 60 20 60 plane 0\n5 5 5 5 5 5 5 5 harbor 0\n"
        "900 900 950 900 950 950 900 950 bridge 0\n"
    )
    source = get_source("dota", damaged, version="1.0", side=0)
    sample = next(source.samples("train"))
    assert [r.name for r in sample.regions] == ["airplane"]
    assert sample.complete == source.classes - {"harbor", "bridge", "ship", "small vehicle", "large vehicle"}  # type: ignore[attr-defined]
    assert [(one.entry, one.reason[:29]) for one in source.quarantined] == [
        ("P0000#1", "airplane is annotated a secon"), ("P0000#2", "harbor has a box without area"),
        ("P0000#3", "bridge lies outside the 300×2"),
    ]  # fmt: skip
    path.write_text("20 20 40 20 40 60 20 60 spaceship 0\n20 20 40\n")
    source = get_source("dota", damaged, version="1.0", side=0)
    assert next(source.samples("train")).complete == frozenset()
    assert [one.entry for one in source.quarantined] == ["P0000#0", "P0000#1"]


def test_options_may_come_as_words(written: Path) -> None:
    assert read("dota", written, side="0", version=1.5) == read("dota", written, side=0, version="1.5")
    assert read("dior", written, oriented="true") == read("dior", written, oriented=True)
    tiled = read("fair1m", written, side="100", overlap="20", empty="0.5", coarse="no")
    assert tiled == read("fair1m", written, side=100, overlap=20, empty=0.5)
    for name, option, value, why in (
        ("dota", "side", "big", "side is a whole number from 0 on, not 'big'"),
        ("dota", "overlap", -1, "overlap is a whole number from 0 on, not -1"),
        ("dota", "empty", "2", "empty is a share from 0 to 1, not '2'"),
        ("dior", "oriented", "maybe", "oriented is true or false, not 'maybe'"),
        ("visdrone", "official", None, "official is true or false, not None"),
    ):
        with pytest.raises(UserError, match=f"^{name}: {why}$"):
            get_source(name, written, **{option: value})
    with pytest.raises(UserError, match="dior: there is no option 'sides'"):
        get_source("dior", written, sides=3)
