"""Strangers' prediction files: every line is sound or named by its number, and no file breaks the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skymoe.errors import UserError
from skymoe.evaluation import lines
from skymoe.evaluation.lines import read_lines, read_references

GOOD: dict[str, dict[str, Any]] = {
    "caption": {"prediction": "a plane", "references": ["a plane ."]},
    "vqa": {"prediction": "yes", "reference": "no", "question_type": "presence"},
    "count": {"prediction": "3", "reference": 3},
    "ground": {"prediction": "{<1><2><3><4>}", "reference": [1, 2, 30, 40], "width": 100, "height": 50},
    "classify": {"prediction": "beach", "reference": "beach", "labels": ["beach", "river"]},
}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def reason(path: Path, task: str = "count", **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_lines(path, task, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 2000
    return message


def changed(task: str, **changes: Any) -> dict[str, Any]:
    line = {"id": "a", **GOOD[task], **changes}
    return {key: value for key, value in line.items() if value is not ...}


@pytest.mark.parametrize("task", GOOD)
def test_a_sound_line_is_kept_with_all_it_says(tmp_path: Path, task: str) -> None:
    path = write(tmp_path / "p.jsonl", {"id": 7, **GOOD[task], "question": "what?", "confidence": 0.5})
    (record,) = read_lines(path, task).records
    assert record == {"id": 7, **GOOD[task], "question": "what?", "confidence": 0.5}


@pytest.mark.parametrize(
    ("task", "changes", "said"),
    [
        ("count", {"id": ...}, 'it has no "id"'),
        ("count", {"id": None}, 'its "id" is null'),
        ("count", {"id": True}, 'its "id" is true'),
        ("count", {"id": ["a"]}, 'its "id" is a list'),
        ("count", {"id": ""}, 'its "id" is ""'),
        ("count", {"prediction": ...}, 'it has no "prediction"'),
        ("count", {"prediction": 3}, 'its "prediction" is 3, not text'),
        ("count", {"prediction": None}, 'its "prediction" is null'),
        ("count", {"reference": ...}, 'it has no "reference"'),
        ("count", {"reference": "3"}, 'its "reference" is "3", not an integer'),
        ("count", {"reference": 3.0}, "3.0, not an integer"),
        ("count", {"reference": False}, "false, not an integer"),
        ("count", {"reference": -1}, "-1, no count"),
        ("count", {"reference": 10**40}, "no count between 0 and"),
        ("caption", {"references": "a plane ."}, "not a list of texts"),
        ("caption", {"references": []}, 'its "references" is empty'),
        ("caption", {"references": ["a", 3]}, 'its "references" holds 3'),
        ("caption", {"references": ["a", " "]}, 'its "references" holds " "'),
        ("vqa", {"reference": 3}, 'its "reference" is 3, not text'),
        ("vqa", {"reference": " "}, 'its "reference" is empty'),
        ("vqa", {"reference": "!?"}, "says nothing"),
        ("vqa", {"question_type": ...}, 'it has no "question_type"'),
        ("vqa", {"question_type": 3}, "not text"),
        ("vqa", {"labels": "yes"}, "not a list of texts"),
        ("classify", {"labels": ...}, 'it has no "labels"'),
        ("classify", {"reference": "forest"}, 'its "reference" "forest" is none of its "labels"'),
        ("classify", {"labels": {"beach": 1}}, 'its "labels" is an object'),
        ("ground", {"width": ...}, 'it has no "width"'),
        ("ground", {"height": 0}, 'its "height" is 0, not a number of pixels'),
        ("ground", {"height": "50"}, "not a number of pixels"),
        ("ground", {"reference": [1, 2, 3]}, 'its "reference" is a list, not a box'),
        ("ground", {"reference": [1, 2, True, 4]}, "not a box"),
        ("ground", {"reference": [1, 2, "3", 4]}, "not a box"),
        ("ground", {"reference": [1, 2, 10**400 // 10**320, 4]}, "not a box"),
        ("ground", {"reference": [30, 2, 1, 40]}, "has no area"),
        ("ground", {"reference": [1, 2, 1, 40]}, "has no area"),
        ("ground", {"reference": [100, 2, 120, 40]}, "lies outside the picture (100 × 50)"),
        ("ground", {"reference": "in the corner"}, "holds 0 boxes, not one"),
        ("ground", {"reference": "{<1><2><3><4>}{<5><6><7><8>}"}, "holds 2 boxes, not one"),
        ("ground", {"input_size": 504}, "not a width and a height"),
    ],
)
def test_what_cannot_be_scored_is_named(
    tmp_path: Path, task: str, changes: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "p.jsonl", {"id": 1, **GOOD[task]}, changed(task, **changes))
    message = reason(path, task)
    assert f"{path}: 1 of 2 lines cannot be used: line 2: " in message
    assert said in message
    assert "--skip-invalid" in message
    kept = read_lines(path, task, skip_invalid=True)
    assert [record["id"] for record in kept.records] == [1]
    assert [bad.line for bad in kept.invalid] == [2]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "it is no JSON"),
        (b"nonsense", "it is no JSON"),
        (b'{"id": 1} {"id": 2}', "Extra data"),
        (b'{"id": 1, "prediction": "3", "reference": NaN}', "NaN is no number"),
        (b'{"id": 1, "prediction": "3", "reference": -Infinity}', "-Infinity is no number"),
        (b'{"id": 1, "prediction": "3", "reference": 1e999}', "not an integer"),
        (b'{"id": 1, "id": 2, "prediction": "3", "reference": 3}', 'it says "id" twice'),
        (b'{"id": 1, "prediction": "\xff", "reference": 3}', "it is not UTF-8"),
        (b'{"id": 1, "prediction": "3", "reference": ' + b"9" * 5000 + b"}", "5,000 digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"id": 1, "prediction": "' + b"x" * (lines.LONGEST + 10) + b'"}', "longer than 1,048,576 bytes"),
        (b"3", "it is a number, not an object"),
        (b'"text"', "it is a text, not an object"),
        (b"null", "it is null, not an object"),
        (b"\x00\x00", "it is no JSON"),
    ],
)
def test_no_line_breaks_the_reader(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "p.jsonl"
    good = json.dumps({"id": "a", **GOOD["count"]}).encode()
    path.write_bytes(good + b"\n" + raw + b"\n" + good.replace(b'"a"', b'"b"') + b"\n")
    message = reason(path)
    assert "1 of 3 lines cannot be used: line 2: " in message
    assert said in message
    assert [record["id"] for record in read_lines(path, "count", skip_invalid=True).records] == ["a", "b"]


def test_a_byte_order_mark_crlf_blank_lines_and_odd_separators_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    first = json.dumps({"id": "a", **GOOD["caption"], "prediction": "a\u2028plane\x85"}, ensure_ascii=False)
    second = json.dumps({"id": "b", **GOOD["caption"]})
    path.write_bytes(b"\xef\xbb\xbf" + f"{first}\r\n\r\n \n{second}".encode())
    found = read_lines(path, "caption")
    assert [record["id"] for record in found.records] == ["a", "b"]
    assert found.records[0]["prediction"] == "a\u2028plane\x85"
    path.write_bytes(path.read_bytes() + b"\r\n{}\r\n")
    assert "line 5: " in reason(path, "caption")


def test_half_characters_are_replaced_for_they_cannot_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "\\ud800", "prediction": "a \\udc00 b", "references": ["\\ud83d\\ude00 x"]}\n')
    (record,) = read_lines(path, "caption").records
    assert (record["id"], record["prediction"], record["references"]) == ("\ufffd", "a \ufffd b", ["😀 x"])


def test_one_id_names_one_line(tmp_path: Path) -> None:
    rows = [{"id": name, **GOOD["count"]} for name in ("a", "b", "a", 1, "1")]
    path = write(tmp_path / "p.jsonl", *rows)
    message = reason(path)
    assert 'line 3: its id "a" is that of line 1; line 5: its id "1" is that of line 4' in message
    assert [r["id"] for r in read_lines(path, "count", skip_invalid=True).records] == ["a", "b", 1]


def test_many_bad_lines_are_counted_and_numbered_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", *[{"id": n} for n in range(1000)])
    message = reason(path)
    assert "1,000 of 1,000 lines cannot be used: line 1: " in message
    assert "line 5: " in message
    assert "and 995 more (lines 6, 7, 8," in message
    assert "none of 1,000 lines can be used" in reason(path, skip_invalid=True)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in reason(tmp_path / "absent.jsonl")
    assert "cannot be read: Is a directory" in reason(tmp_path)
    empty = tmp_path / "empty.jsonl"
    for content in (b"", b"\n\r\n", b"\xef\xbb\xbf", b"[]"):
        empty.write_bytes(content)
        assert "is empty: there is nothing to score" in reason(empty)
    empty.write_bytes('{"id": 1}'.encode("utf-16"))
    assert "is UTF-16: save it as UTF-8" in reason(empty)


def test_an_array_of_objects_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([{"id": 1, **GOOD["count"]}, 3, {"id": 2, **GOOD["count"]}], indent=1))
    assert "1 of 3 lines cannot be used: line 2: it is a number" in reason(path)
    assert len(read_lines(path, "count", skip_invalid=True).records) == 2
    path.write_text("[\n{},\n{]")
    assert "is no sound JSON array" in reason(path)
    path.write_text("[" * 100_000)
    assert "nested too deeply" in reason(path)
    # JSON Lines whose first line happens to be a list.
    path.write_text("[1]\n" + json.dumps({"id": 1, **GOOD["count"]}))
    assert "1 of 2 lines cannot be used: line 1: it is a list" in reason(path)


def test_references_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    answers = write(tmp_path / "a.jsonl", {"id": 1, "prediction": "3"}, {"id": 2, "prediction": "4"})
    truth = write(tmp_path / "t.jsonl", {"question_id": "1", "reference": 3}, {"id": 2, "reference": 3})
    with pytest.raises(UserError, match='line 1: it has no "reference"'):
        read_lines(answers, "count")
    found = read_lines(answers, "count", references=read_references(truth))
    assert [record["reference"] for record in found.records] == [3, 3]
    with pytest.raises(UserError, match=r"line 1: .* says nothing of its id"):
        read_lines(answers, "count", references={})
    write(truth, {"id": 1}, {"id": "1"})
    with pytest.raises(UserError, match=r"line 2: its id .* is there already"):
        read_references(truth)
    write(truth, {"reference": 1})
    with pytest.raises(UserError, match="line 1: it has no"):
        read_references(truth)


def test_boxes_of_reference_in_their_forms(tmp_path: Path) -> None:
    size = {"width": 200, "height": 100, "prediction": ""}
    path = write(
        tmp_path / "p.jsonl",
        {"id": 1, "reference": "{<10><20><30><40>}", **size},
        {"id": 2, "reference": "{<40><40><60><60>|<45>}", **size},
        {"id": 3, "reference": [10, 10, 30, 10, 30, 20, 10, 20], **size},
        {"id": 4, "reference": "{<10><20><30><40>}", "prediction": ""},
    )
    first, second, third, fourth = read_lines(path, "ground").records
    assert first["reference"] == [20, 20, 60, 40]
    assert "polygon" not in first
    assert second["reference"] == pytest.approx([78.7868, 28.7868, 121.2132, 71.2132], abs=1e-3)
    assert len(second["polygon"]) == 8
    assert third["reference"] == [10, 10, 30, 20]
    # Without a size both sides are relative to the picture, so its size is left open.
    assert (fourth["reference"], fourth["width"], fourth["height"]) == ([10, 20, 30, 40], 100, 100)
    found = read_lines(path, "ground", image_size=(512, 512)).records[3]
    assert (found["reference"], found["width"]) == ([51.2, 102.4, 153.6, 204.8], 512)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), task=st.sampled_from(sorted(GOOD)))
def test_any_bytes_give_records_or_one_line(tmp_path: Path, content: bytes, task: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    reason(path, task)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    task=st.sampled_from(sorted(GOOD)),
    key=st.sampled_from(("id", *sorted(GOOD["ground"]), "labels")),
    value=_json,
)
def test_any_value_of_any_field_is_taken_or_named(tmp_path: Path, task: str, key: str, value: Any) -> None:
    path = write(tmp_path / "p.jsonl", changed(task, **{key: value}))
    message = ""
    try:
        found = read_lines(path, task)
    except UserError as error:
        message = str(error)
    else:
        assert len(found.records) == 1
    assert not message or "line 1: " in message
    assert len(message.splitlines()) <= 1
