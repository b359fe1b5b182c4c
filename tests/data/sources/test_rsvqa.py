"""RSVQA-LR and -HR: found, missing, truncated, corrupt; answers as the data sets are judged; long files."""

from __future__ import annotations

import json
import tracemalloc
from importlib import import_module
from pathlib import Path

import pytest

from data.sources.miniatures import rsvqa_lr
from skymoe.data.sources import Quarantined, Source, get_source, verify
from skymoe.data.sources.json_stream import stream_array
from skymoe.data.sources.rsvqa import binned
from skymoe.errors import UserError
from skymoe.pictures import open_sample
from skymoe.tasks import get_task

STEM = {"rsvqa-lr": "RSVQA-LR/LR_split_train", "rsvqa-hr": "RSVQA-HR/USGS_split_train"}


def made(name: str, root: Path) -> Source:
    import_module(f"data.sources.miniatures.{name.replace('-', '_')}").write(root)
    return get_source(name, root)


@pytest.mark.parametrize("name", STEM)
def test_found(name: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    assert source.state().verdict == "found"
    for split in source.splits:
        found = list(source.samples(split))
        assert found == list(source.samples(split)) != []
        assert not source.quarantined
        for sample in found:
            assert (sample.source, sample.split) == (name, split)
            assert open_sample(sample).size == (sample.width, sample.height)
            asked = [query for query in get_task("vqa").queries(sample) if query.official]
            assert [query.target for query in asked] == [question.answer for question in sample.questions]
    assert source.licence in source.card


def test_low_resolution_counts_are_binned_and_inactive_entries_left_out(tmp_path: Path) -> None:
    first, second = made("rsvqa-lr", tmp_path).samples("train")
    assert [sample.id for sample in (first, second)] == ["rsvqa-lr/0", "rsvqa-lr/10"]
    assert [(q.kind, q.answer) for q in first.questions] == [
        ("rural_urban", "rural"), ("presence", "yes"), ("count", "0"),
    ]  # fmt: skip
    assert [q.answer for q in second.questions] == [
        "between 1 and 10", "between 11 and 100", "between 101 and 1000", "more than 1000",
    ]  # fmt: skip
    assert second.questions[1].text == "What is the number of roads?"
    (val,) = get_source("rsvqa-lr", tmp_path).samples("val")
    assert val.questions[0].kind == "comparison"


def test_high_resolution_areas_are_binned_counts_are_not(tmp_path: Path) -> None:
    source = made("rsvqa-hr", tmp_path)
    answers = [q.answer for sample in source.samples("train") for q in sample.questions]
    assert answers == ["0 m2", "more than 1000 m2", "between 11 m2 and 100 m2", "12"]
    assert {Path(sample.image).suffix for sample in source.samples("train")} == {".tif"}
    (philadelphia,) = source.samples("test_2")
    assert [q.answer for q in philadelphia.questions] == ["yes", "3"]


def test_bins_have_inclusive_upper_bounds() -> None:
    assert [binned(n) for n in (0, 1, 10, 11, 100, 101, 1000, 1001)] == [
        "0", *["between 1 and 10"] * 2, *["between 11 and 100"] * 2, *["between 101 and 1000"] * 2, "more than 1000",
    ]  # fmt: skip


def test_other_layouts(tmp_path: Path) -> None:
    rsvqa_lr.write(tmp_path, "Images_LR/Images_LR")
    assert len(list(get_source("rsvqa-lr", tmp_path).samples("train"))) == 2
    (tmp_path / "RSVQA-LR").rename(tmp_path / "RSVQA_LR")
    assert len(list(get_source("rsvqa-lr", tmp_path).samples("train"))) == 2


@pytest.mark.parametrize("name", STEM)
def test_missing(name: str, tmp_path: Path) -> None:
    assert get_source(name, tmp_path).state().verdict == "absent"
    source = made(name, tmp_path)
    path = tmp_path / f"{STEM[name]}_answers.json"
    path.unlink()
    assert source.state().verdict == "incomplete"
    with pytest.raises(UserError, match=rf"{name}: no {path.name} in .*; put it there or set SKYMOE_DATA"):
        source.samples("train")


@pytest.mark.parametrize("what", ["questions", "answers"])
@pytest.mark.parametrize("name", STEM)
def test_truncated_and_foreign_files_are_one_line(name: str, what: str, tmp_path: Path) -> None:
    source = made(name, tmp_path)
    path = tmp_path / f"{STEM[name]}_{what}.json"
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], content[:-2], b"", b"\xff\xfe\x00\x80", b"[]", b'{"images": []}',
                   b'{"%s": [3]}' % what.encode(), b'{"%s": [{"id": 1}]}' % what.encode()):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(UserError, match="get the data set again") as caught:
            list(source.samples("train"))
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{name}: ")


def test_single_damaged_entries_are_quarantined(tmp_path: Path) -> None:
    source = made("rsvqa-lr", tmp_path)
    path = tmp_path / "RSVQA-LR/LR_split_train_answers.json"
    content = json.loads(path.read_text())
    content["answers"][2]["answer"] = "several"
    content["answers"][1]["active"] = False
    path.write_text(json.dumps(content))
    (tmp_path / "RSVQA-LR/Images_LR/10.tif").write_bytes(b"II*\0 not a picture")
    (sample,) = source.samples("train")
    assert [q.kind for q in sample.questions] == ["rural_urban"]
    assert source.quarantined == [
        Quarantined("question 1", "it has no answer"),
        Quarantined("question 2", "'several' is no answer to a count question"),
        Quarantined("picture 10", "picture 10.tif is damaged"),
    ]
    result = verify(source, splits=["train"])
    assert "train: 1 of 572 samples; 1 of 57,223 questions" in result.problems()


def test_long_arrays_are_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    entry = {"id": 0, "text": "é" * 100, "nested": {"list": [1, 2, {"a": "]}"}]}}
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"of": [1]},\n "things" : [ ')
        file.write(
            " ,\n".join(json.dumps(entry | {"id": number}, ensure_ascii=False) for number in range(40_000))
        )
        file.write("\n ] }")
    tracemalloc.start()
    assert (
        sum(1 for number, e in enumerate(stream_array(path, "things", "x")) if e == entry | {"id": number})
        == 40_000
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 9_000_000
    assert peak < 4_000_000
