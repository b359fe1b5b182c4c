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
