"""RSIVQA's questions on Sydney, HRRSD and DOTA: in the splits of their pictures, found, missing, damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.sources.miniatures import sydney_captions
from data.sources.miniatures.drawn import draw
from skymoe.data.sources import Quarantined, get_source
from skymoe.errors import UserError
from skymoe.sample import Question


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The three question files as in the repository, and pictures of the three data sets."""
    sydney_captions.write(tmp_path)
    lines = {
        "Sydney/sydney_vqa.txt": [
            f"{n}.tif:what is the theme of this picture?residential" for n in range(1, 7)
        ],
        "HRRSD/opt_val_vqa.txt": [
            "00001: how many airplanes are there in this picture?1",
            "00001: does this picture contain ship?no",
            "00002: does this picture contain airplane?yes",
        ],
        "DOTA/dota_train_vqa2.txt": ["P0000: how many ships are there in this picture?28"],
        "DOTA/dota_val_vqa2.txt": ["P0003: does this picture contain plane?no"],
    }
    for file, content in lines.items():
        path = tmp_path / "RSIVQA/RSIVQA" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
    for stem, split in (("00001", "train"), ("00002", "test"), ("00003", "val")):
        draw(tmp_path / f"TGRS-HRRSD-Dataset/OPT2017/JPEGImages/{stem}.jpg", [])
        listed = tmp_path / f"TGRS-HRRSD-Dataset/OPT2017/ImageSets/Main/{split}.txt"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(f"{stem}\n")
    draw(tmp_path / "DOTA/train/images/part1/P0000.png", [])
    draw(tmp_path / "DOTA/val/images/P0003.png", [])
    return tmp_path


def test_found_in_the_splits_of_their_pictures(root: Path) -> None:
    sydney = get_source("rsivqa-sydney-themes", root)
    assert [sample.id for sample in sydney.samples("test")] == [
        "rsivqa-sydney-themes/5", "rsivqa-sydney-themes/6",
    ]  # fmt: skip
    hrrsd = get_source("rsivqa-hrrsd", root)
    (train,) = hrrsd.samples("train")
    assert train.questions == (
        Question("how many airplanes are there in this picture?", "1", "count"),
        Question("does this picture contain ship?", "no", "presence"),
    )
    assert [len(list(hrrsd.samples(split))) for split in ("val", "test")] == [0, 1]
    dota = get_source("rsivqa-dota", root)
    assert [sample.id for split in dota.splits for sample in dota.samples(split)] == [
        "rsivqa-dota/P0000", "rsivqa-dota/P0003",
    ]  # fmt: skip
    for source in (sydney, hrrsd, dota):
        assert source.state().verdict == "found"
        assert source.licence.partition(";")[0] in source.card.replace("\n", " ")


@pytest.mark.parametrize("name", ["rsivqa-sydney-themes", "rsivqa-hrrsd", "rsivqa-dota"])
def test_missing(name: str, root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert get_source(name, tmp_path_factory.mktemp("empty")).state().verdict == "absent"
    for path in (root / "RSIVQA").rglob("*.txt"):
        path.unlink()
    with pytest.raises(UserError, match=rf"{name}: no RSIVQA/.* in .*; put it there"):
        get_source(name, root).samples("train")


def test_damaged(root: Path) -> None:
    (root / "DOTA/train/images/part1/P0000.png").write_bytes(b"not a picture")
    dota = get_source("rsivqa-dota", root)
    assert list(dota.samples("train")) == []
    assert dota.quarantined == [Quarantined("P0000", "picture P0000.png is damaged")]
    path = root / "RSIVQA/RSIVQA/DOTA/dota_val_vqa2.txt"
    path.write_text(path.read_text() + "P0004: does this picture con")
    assert len(list(dota.samples("val"))) == 1
    assert dota.quarantined == [Quarantined("dota_val_vqa2.txt line 2", "it is not `image:question?answer`")]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="get the data set again"):
        list(dota.samples("val"))
