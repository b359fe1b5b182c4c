"""A Parquet mirror, unpacked, is read like the official download."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.sources import Quarantined, get_source
from skymoe.data.sources.mirrors import unpack_mirror
from skymoe.errors import UserError

pyarrow = pytest.importorskip("pyarrow")


def encoded(shade: int, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (24, 24), (shade, shade, shade)).save(stream, kind)
    return stream.getvalue()


def write_mirror(folder: Path, rows: dict[str, list[dict[str, object]]]) -> Path:
    from pyarrow import Table, parquet

    (folder / "data").mkdir(parents=True)
    for split, content in rows.items():
        parquet.write_table(Table.from_pylist(content), folder / f"data/{split}-00000-of-00001-0a1b.parquet")
    return folder


def row(filename: str, shade: int, *captions: str) -> dict[str, object]:
    image = {"bytes": encoded(shade), "path": Path(filename).name}
    return {"filename": filename, "captions": list(captions), "image": image}


def test_unpacked_mirror_is_read_like_the_official_download(tmp_path: Path) -> None:
    rows = {
        "train": [row("rsicd_images/airport_1.jpg", 10, "a plane .", "two planes ."),
                  row("rsicd_images/00001.jpg", 20, "a field .")],
        "valid": [row("rsicd_images/desert_1.jpg", 30, "a desert .")],
        "test": [row("rsicd_images/desert_2.jpg", 40, "a vast desert .")],
    }  # fmt: skip
    mirror = write_mirror(tmp_path / "mirror", rows)
    counts, damaged = unpack_mirror("rsicd", mirror, tmp_path / "data")
    assert (counts, damaged) == ({"test": 1, "train": 2, "val": 1}, [])
    source = get_source("rsicd", tmp_path / "data")
    assert source.state().found
    assert [(s.id, s.captions, s.label) for s in source.samples("train")] == [
        ("rsicd/airport_1", ("a plane .", "two planes ."), "Airport"), ("rsicd/00001", ("a field .",), None),
    ]  # fmt: skip
    assert [s.id for s in source.samples("val")] == ["rsicd/desert_1"]
    assert not source.quarantined
    with pytest.raises(UserError, match="is already there; move it away"):
        unpack_mirror("rsicd", mirror, tmp_path / "data")


def test_rows_of_which_nothing_can_be_made_are_named(tmp_path: Path) -> None:
    rows = {"train": [
        row("../../1.tif", 10, "kept , and its name stays in the folder ."),
        {"filename": "2.jpg", "captions": ["x"], "image": {"bytes": b"no picture", "path": None}},
        row("3.jpg", 10, " "),
        row("1.jpg", 20, "another picture of that name ."),
    ]}  # fmt: skip
    mirror = write_mirror(tmp_path / "mirror", rows)
    counts, damaged = unpack_mirror("sydney-captions", mirror, tmp_path / "data")
    assert counts == {"train": 1}
    file = "train-00000-of-00001-0a1b.parquet"
    assert damaged == [
        Quarantined(f"{file} row 1", "it lacks a sound image"),
        Quarantined(f"{file} row 2", "it lacks a sound caption"),
        Quarantined(f"{file} row 3", "it lacks a sound filename: 1.jpg is another row's"),
    ]  # fmt: skip
    (sample,) = get_source("sydney-captions", tmp_path / "data").samples("train")
    assert sample.image == str(tmp_path / "data/Sydney-Captions/imgs/1.jpg")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mirrors of rsicd, .* can be unpacked"):
        unpack_mirror("dota", tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"no \*.parquet in"):
        unpack_mirror("rsicd", tmp_path, tmp_path)
    (tmp_path / "part-0.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(UserError, match="does not say its split"):
        unpack_mirror("rsicd", tmp_path, tmp_path)
    (tmp_path / "part-0.parquet").rename(tmp_path / "train-0.parquet")
    with pytest.raises(UserError, match=r"can't be read .*; get the mirror again") as caught:
        unpack_mirror("rsicd", tmp_path, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "RSICD/dataset_rsicd.json").exists()


def write_scenes(folder: Path, rows: dict[str, list[dict[str, object]]], names: list[str]) -> Path:
    """A mirror as Hugging Face writes one: labels are numbers, their words stand in the header."""
    import json

    from pyarrow import Table, parquet

    folder.mkdir()
    header = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    for split, content in rows.items():
        table = Table.from_pylist(content).replace_schema_metadata({"huggingface": json.dumps(header)})
        parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return folder


def scene(path: str | None, label: object, shade: int = 9, **columns: object) -> dict[str, object]:
    return {"image": {"bytes": encoded(shade), "path": path}, "label": label, **columns}


def test_mirrors_of_scenes_take_the_splits_of_the_official_numbers(tmp_path: Path) -> None:
    rows = {
        "train": [scene("sea_ice_007.jpg", 1), scene(None, 0, 20, image_id=None), scene("x/ship_700.jpg", 1)],
        "test": [scene("airport_012.png", 0), scene("sea_ice_7.jpg", 1)],
    }
    mirror = write_scenes(tmp_path / "mirror", rows, ["airport", "sea_ice"])
    counts, damaged = unpack_mirror("resisc45", mirror, tmp_path / "data")
    assert counts == {"test": 2}
    assert [one.reason for one in damaged] == [
        "it lacks a sound name: sea_ice_007 is another row's",
        "it lacks a sound name: nothing says which picture of its class it is",
        "it lacks a sound name: nothing says which picture of its class it is",
    ]
    source = get_source("resisc45", tmp_path / "data")
    found = {sample.id: sample for split in source.splits for sample in _there(source, split)}
    assert set(found) == {"resisc45/airport_012", "resisc45/sea_ice_007"}
    by_number = {f"resisc45/{n}": source.split_of(c)[k] for n, c, k in
                 (("airport_012", "airport", 12), ("sea_ice_007", "sea_ice", 7))}  # fmt: skip
    assert {name: sample.split for name, sample in found.items()} == by_number
    with pytest.raises(UserError, match="is already there; move it away"):
        unpack_mirror("resisc45", mirror, tmp_path / "data")


def _there(source: object, split: str) -> list[object]:
    """The samples of classes that are there: miniatures have two of 45."""
    source.classes = ("airport", "sea_ice")  # type: ignore[attr-defined]
    return list(source.samples(split))  # type: ignore[attr-defined]


def test_names_may_stand_in_a_column_and_labels_in_words(tmp_path: Path) -> None:
    rows = {"train": [scene(None, "Railway Station", image_id="railwaystation_3")]}
    mirror = write_scenes(tmp_path / "mirror", rows, [])
    assert unpack_mirror("aid", mirror, tmp_path / "data") == ({"train": 1}, [])
    assert (tmp_path / "data/AID/RailwayStation/railwaystation_3.jpg").is_file()


def test_a_mirror_that_does_not_say_which_pictures_it_has_is_refused(tmp_path: Path) -> None:
    mirror = write_scenes(tmp_path / "mirror", {"train": [scene(None, 0), scene("0.png", 0)]}, ["airport"])
    with pytest.raises(UserError, match="get the official archive"):
        unpack_mirror("whu-rs19", mirror, tmp_path / "data")
    assert not (tmp_path / "data/WHU-RS19").exists()
