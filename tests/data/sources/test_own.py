from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from skymoe.data.sources.own import OwnSamples
from skymoe.errors import UserError
from skymoe.sample import Edit, Expression, Question, Region, Sample

REGION = Region("ship", (1.0, 2.0, 9.0, 8.0), (1.0, 2.0, 9.0, 2.0, 9.0, 8.0, 1.0, 8.0))
SAMPLE = Sample(
    "a/1~relocate-1", "pictures/1.png", "a", "train", "CC0", 20, 10, captions=("a ship",), label="port",
    labels=("port", "sea"), regions=(REGION,), complete=frozenset({"ship"}), absent=frozenset({"airplane"}),
    expressions=(Expression("the left ship", REGION.box, REGION.polygon),),
    questions=(Question("A ship?", "yes", "presence"),),
    pair="a/1", edits=(Edit("relocate", "ship", 3, (REGION,), (REGION,), phrase=("the right ship", "the left ship"),
                            words=("right", "left")),
                       Edit("cutout", "ship", 3, (REGION,), fill="zero", ratio=0.2, count=(3, 2)),
                       Edit("recolour", "ship", 3, (REGION,), (REGION,), outline=(1.0, 1.0, 2.0, 2.0, 1.0, 2.0))),
)  # fmt: skip


def write(folder: Path, *records: object) -> OwnSamples:
    (folder / "pictures").mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "pictures/1.png")
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return OwnSamples(folder)


def test_a_sample_with_edits_survives_a_trip_through_json() -> None:
    assert Sample.from_dict(json.loads(json.dumps(SAMPLE.to_dict()))) == SAMPLE


def test_records_from_before_pairs_and_edits_can_be_read() -> None:
    record = SAMPLE.to_dict()
    del record["pair"], record["edits"]
    assert Sample.from_dict(record) == SAMPLE.replace(pair=None, edits=())


def test_samples_are_read_with_their_pictures(tmp_path: Path) -> None:
    source = write(tmp_path, SAMPLE.to_dict())
    (found,) = source.samples("train")
    assert found == SAMPLE.replace(image=str(tmp_path / "pictures/1.png"))
    assert list(source.samples("test")) == []


@pytest.mark.parametrize(
    "image", ["../1.png", "/etc/passwd", "pictures/../../1.png", "", "C:\\1.png", "pictures\\..\\1.png", "a\0b",
     "out/1.png"]
)  # fmt: skip
def test_no_path_leaves_the_folder(image: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    (folder / "out").symlink_to(tmp_path)
    source = write(folder, {**SAMPLE.to_dict(), "image": image})
    assert list(source.samples("train")) == []
    (left_out,) = source.quarantined
    assert left_out.entry == SAMPLE.id
    assert "not a path inside the folder" in left_out.reason


def test_damaged_entries_are_quarantined_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/2.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    records = (
        "{not json", "[1]", {"id": "x"}, {**SAMPLE.to_dict(), "id": "gone", "image": "pictures/9.png"},
        {**SAMPLE.to_dict(), "id": "damaged", "image": "pictures/2.png"},
        {**SAMPLE.to_dict(), "id": "size", "width": 21},
        SAMPLE.to_dict(), SAMPLE.to_dict(),
    )  # fmt: skip
    source = write(tmp_path, *records)
    assert [sample.id for sample in source.samples("train")] == [SAMPLE.id]
    reasons = {one.entry: one.reason for one in source.quarantined}
    assert set(reasons) == {"line 1", "line 2", "line 3", "gone", "damaged", "size", SAMPLE.id}
    assert reasons["size"] == "picture is 20×10 pixels, the sample says 21×10"
    assert reasons[SAMPLE.id] == "the id comes twice"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say which folder"):
        OwnSamples()
    with pytest.raises(UserError, match=r"no samples\.jsonl"):
        OwnSamples(tmp_path).samples("train")
