"""RESISC45, WHU-RS19 and UC Merced: official layout, seeded splits that keep captioned test pictures apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from data.sources.miniatures import resisc45, uc_merced, whu_rs19
from skymoe.data.sources import SPLITS, Source, get_source
from skymoe.data.sources.scene_folders import SceneFolders
from skymoe.data.sources.uc_merced import ODD_SIZES, caption_split
from skymoe.data.sources.ucm_captions import ucm_entries, ucm_pictures
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.tasks.labels import display_label

WRITERS: dict[str, Callable[[Path], None]] = {
    "resisc45": resisc45.write, "whu-rs19": whu_rs19.write, "uc-merced": uc_merced.write,
}  # fmt: skip
PICTURES = {"resisc45": 45 * 3, "whu-rs19": 19 * 3, "uc-merced": 21 * 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for write in WRITERS.values():
        write(folder)
    return folder


def scenes(name: str, root: Path, **options: object) -> SceneFolders:
    source = get_source(name, root, **options)
    assert isinstance(source, SceneFolders)
    return source


@pytest.mark.parametrize("name", WRITERS)
def test_what_comes_in_goes_out_or_is_quarantined(name: str, root: Path) -> None:
    source, ids = scenes(name, root), []
    assert source.state().found
    for split in SPLITS:
        samples = list(source.samples(split))
        assert samples == list(source.samples(split))
        # Official pictures that the miniature lacks are quarantined by name.
        assert len(samples) + len(source.quarantined) == source.counts[split]
        for sample in samples:
            assert sample.label in sample.labels
            assert display_label(sample.label or "").replace(" ", "") in Path(
                sample.image
            ).stem.lower().replace("_", "")
            assert open_sample(sample).size == (sample.width, sample.height)
        ids += [sample.id for sample in samples]
    assert len(ids) == len(set(ids)) == PICTURES[name]


@pytest.mark.parametrize(("name", "share"), [("resisc45", 0.1), ("whu-rs19", 0.4), ("uc-merced", 0.2)])
def test_other_shares_and_seeds_are_other_draws_of_known_size(name: str, share: float, root: Path) -> None:
    draws = [scenes(name, root, share=share, seed=seed) for seed in (0, 0, 1)]
    label = draws[0].classes[3]
    first, again, other = (draw.split_of(label) for draw in draws)
    assert first == again != other
    numbers = len(draws[0].numbers(label))
    seen = [n for n, split in first.items() if split != "test"]
    assert len(seen) == round(share * numbers)
    assert sum(draws[0].counts.values()) == sum(scenes(name, root).counts.values())
    with pytest.raises(UserError, match=r"share=20 is not between 0 and 1; 0\.2 trains on a fifth"):
        scenes(name, root, share=20)


def test_the_default_numbers_are_those_of_the_cards(root: Path) -> None:
    for name in WRITERS:
        source = scenes(name, root)
        counts = dict.fromkeys(SPLITS, 0)
        for label in source.classes:
            for split in source.split_of(label).values():
                counts[split] += 1
        assert counts == source.counts
        assert all(f"{number:,}" in source.card for number in counts.values())


def test_a_partial_copy_splits_as_the_whole(root: Path, tmp_path: Path) -> None:
    resisc45.write(tmp_path, numbers=(2,))
    for split in SPLITS:
        whole = {sample.id for sample in scenes("resisc45", root).samples(split)}
        assert {sample.id for sample in scenes("resisc45", tmp_path).samples(split)} <= whole


@pytest.mark.parametrize("name", WRITERS)
def test_missing_folders_and_damaged_pictures(name: str, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{name}: no .* in .*; put it there or set SKYMOE_DATA"):
        scenes(name, tmp_path).samples("train")
    assert not scenes(name, tmp_path).state().partly
    place = scenes(name, root).places[0]
    shutil.copytree(root / place, tmp_path / place)
    source = scenes(name, tmp_path)
    picture = next(source.samples("train"))
    Path(picture.image).write_bytes(Path(picture.image).read_bytes()[:9])
    rest = [sample.id for sample in source.samples("train")]
    assert picture.id not in rest
    assert [q.reason for q in source.quarantined if q.entry == picture.id.partition("/")[2]] == [
        f"picture {Path(picture.image).name} is damaged"
    ]
    shutil.rmtree(Path(picture.image).parent)
    assert source.state().verdict == "incomplete"
    with pytest.raises(UserError, match=f"{name}: no {picture.label} in"):
        source.samples("train")


def test_the_folder_itself_can_be_given(root: Path) -> None:
    inside = scenes("whu-rs19", root / "WHU-RS19")
    assert [s.id for s in inside.samples("train")] == [
        s.id for s in scenes("whu-rs19", root).samples("train")
    ]


def test_resisc45_keeps_the_tests_of_nwpu_captions_apart(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "NWPU-RESISC45", tmp_path / "NWPU-RESISC45")
    trained = [sample.id.partition("/")[2] for sample in scenes("resisc45", root).samples("train")]
    content: dict[str, list[dict[str, str]]] = {}
    for stem in trained:
        content.setdefault(stem.rpartition("_")[0], []).append({"filename": f"{stem}.jpg", "split": "test"})
    (tmp_path / "NWPU-Captions").mkdir()
    file = tmp_path / "NWPU-Captions" / "dataset_nwpu.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    source = scenes("resisc45", tmp_path)
    tested = [sample.id.partition("/")[2] for sample in source.samples("test")]
    assert trained
    assert set(trained) <= set(tested)
    assert len(tested) + len(source.quarantined) == 25200  # another draw, the same numbers
    file.write_text(file.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(UserError, match=r"dataset_nwpu.json can't be read"):
        list(source.samples("train"))


@pytest.mark.parametrize("share", [None, 0.8, 0.5, 0.2])
def test_uc_merced_never_trains_on_what_ucm_captions_tests(share: float | None, root: Path) -> None:
    source = scenes("uc-merced", root, share=share)
    for label in source.classes:
        for number, split in source.split_of(label).items():
            assert split != "train" or caption_split(label, number) == "train"
            assert split == "test" or caption_split(label, number) != "test"


def test_uc_merced_absences_spare_what_captions_name(root: Path, tmp_path: Path) -> None:
    assert "boat" in next(scenes("uc-merced", root).samples("train")).absent
    shutil.copytree(root / "UCMerced_LandUse", tmp_path / "UCMerced_LandUse")
    (tmp_path / "UCM-Captions").mkdir()
    entry = {"filename": "1.tif", "split": "train", "sentences": [{"raw": "A boat lies in the farmland ."}]}
    (tmp_path / "UCM-Captions/dataset.json").write_text(json.dumps({"images": [entry]}), encoding="utf-8")
    first = next(scenes("uc-merced", tmp_path).samples("train"))
    assert first.id == "uc-merced/agricultural00"
    assert "boat" not in first.absent
    with pytest.raises(UserError, match=r"seed=3 draws nothing without share="):
        scenes("uc-merced", root, seed=3)


def test_uc_merced_refuses_a_renumbered_copy(tmp_path: Path) -> None:
    uc_merced.write(tmp_path)
    picture = tmp_path / "UCMerced_LandUse/Images/airplane/airplane13.tif"
    Image.new("RGB", (247, 247)).save(picture)
    with pytest.raises(
        UserError, match="airplane13 has 247×247 px instead of 256×256: the pictures are numbered"
    ):
        list(scenes("uc-merced", tmp_path).samples("train"))
    picture.rename(picture.with_name("airplane55.tif"))
    Image.new("RGB", (253, 256)).save(picture.with_name("airplane55.tif"))  # picture 156 of UCM-Captions
    assert any("airplane55" in sample.id for sample in scenes("uc-merced", tmp_path).samples("train"))


@pytest.mark.data
def test_the_split_and_sizes_written_down_are_those_of_ucm_captions(real: Path) -> None:
    source: Source = get_source("ucm-captions", real)
    if not source.state().found:
        pytest.skip(f"no {', '.join(source.state().missing)} in {real}")
    labels = scenes("uc-merced", real).classes
    for stem, split, _ in ucm_entries(source):
        label, number = labels[(int(stem) - 1) // 100], (int(stem) - 1) % 100
        assert caption_split(label, number) == split, stem
    sizes = {}
    for stem, path in ucm_pictures(source).items():
        with Image.open(path) as picture:
            sizes[int(stem)] = picture.size
    assert {stem: size for stem, size in sizes.items() if size != (256, 256)} == ODD_SIZES
