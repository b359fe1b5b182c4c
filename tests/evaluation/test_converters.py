"""Files as the scripts of GeoChat, LHRS-Bot, VRSBench and EarthDial write them become our lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skymoe.errors import UserError
from skymoe.evaluation.checking import check
from skymoe.evaluation.converters import Converter, angle_brackets
from skymoe.evaluation.lines import Lines, read_lines, read_references
from skymoe.evaluation.scoring import score_records

Row = dict[str, Any]
# As batch_geochat_grounding.py writes it: corners in pixels of every object meant.
REFERRING: Row = {
    "question_id": "fast_6217", "image_id": "train_5007_0017", "answer": "{<40><24><60><40>|<58>}",
    "ground_truth": [[[584.0, 337.0], [619.0, 313.0], [601.0, 282.0], [565.0, 304.0]]], "question": "an airplane",
    "type": "ref", "dataset": "FAST", "obj_ids": [1], "size_group": "small",
}  # fmt: skip
VRS: Row = {
    "question_id": 0, "image_id": "P0003_0002.png", "answer": "{<10><20><30><40>}", "dataset": "RSBench",
    "ground_truth": "{<10><20><30><41>}", "question": "The ship.", "type": "ref", "is_unique": True, "obj_ids": [0],
    "size_group": "",
}  # fmt: skip


def read(tmp_path: Path, rows: list[Row], task: str, form: str, array: bool = False, **options: Any) -> Lines:
    path = tmp_path / f"{form}.json"
    text = json.dumps(rows) if array else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    converter = Converter(form, task, options.get("image_size"))
    return read_lines(path, task, rewrite=converter, **options)


def said(tmp_path: Path, rows: list[Row], task: str, form: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, rows, task, form, **options)
    return str(caught.value)


def test_geochat_boxes_are_hundredths_and_their_references_pixels(tmp_path: Path) -> None:
    (record,) = read(tmp_path, [REFERRING], "ground", "geochat", image_size=(800, 800)).records
    assert record["id"] == "fast_6217"
    assert record["reference"] == [565, 282, 619, 337]
    assert record["polygon"] == [584, 337, 619, 313, 601, 282, 565, 304]
    assert (record["width"], record["size_group"]) == (800, "small")
    found = score_records("ground", [record])
    assert found.items[0]["parsed"] == pytest.approx([303.33, 154.24, 496.67, 357.76], abs=0.01)
    assert found.items[0]["rotated_iou"] == 0
    assert "rotated_miou" in found.metrics
    assert list(found.by) == ["small"]


def test_geochat_boxes_without_a_size_or_of_several_objects_are_named(tmp_path: Path) -> None:
    assert "the size of the picture is nowhere: say --image-size" in said(
        tmp_path, [REFERRING], "ground", "geochat"
    )
    two = {**REFERRING, "ground_truth": REFERRING["ground_truth"] * 2}
    message = said(tmp_path, [two], "ground", "geochat", image_size=(800, 800))
    assert "line 1: its reference holds 2 objects: one box a line is judged here" in message
    bad = {**REFERRING, "ground_truth": [[1, 2], [3, "x"]]}
    assert "line 1: its " in said(tmp_path, [bad], "ground", "geochat", image_size=(800, 800))


def test_geochat_scenes_and_their_list(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"question_id": "Airport/airport_1.jpg", "image_id": "Airport/airport_1.jpg", "answer": "Airport."},
        {"question_id": "Beach/beach_2.jpg", "image_id": "x", "answer": "port", "ground_truth": "Beach"},
    ]
    found = read(tmp_path, rows, "classify", "geochat")
    assert [record["reference"] for record in found.records] == ["Airport", "Beach"]
    assert found.records[0]["labels"] == ["Airport", "Beach"]
    assert found.notes == {"labels": "the 2 that occur among the references"}
    assert [item["correct"] for item in score_records("classify", found.records).items] == [True, False]
    found = read(tmp_path, rows, "classify", "geochat", labels=["airport", "beach", "port"])
    assert found.notes == {}
    assert score_records("classify", found.records).items[1]["parsed"] == "port"


def test_geochat_questions_take_their_references_from_the_question_file(tmp_path: Path) -> None:
    rows: list[Row] = [{"question_id": 5, "image_id": "5.tif", "answer": "Yes"}]
    message = said(tmp_path, rows, "vqa", "geochat")
    assert 'it has no "ground_truth": give the file that has it with --references' in message
    questions = tmp_path / "lrben.jsonl"
    questions.write_text(
        '{"question_id": 5, "text": "Is it?", "ground_truth": "yes", "category": "presence"}\n'
    )
    (record,) = read(tmp_path, rows, "vqa", "geochat", references=read_references(questions)).records
    assert (record["reference"], record["question_type"]) == ("yes", "presence")


def test_vrsbench_pictures_have_one_size(tmp_path: Path) -> None:
    (record,) = read(tmp_path, [VRS], "ground", "vrsbench").records
    assert record["reference"] == pytest.approx([51.2, 102.4, 153.6, 209.92])
    assert record["id"] == 0
    assert "size_group" not in record
    found = score_records("ground", [record])
    assert found.items[0]["iou"] == pytest.approx(20 / 21)
    assert list(found.by) == ["large"]


def test_vrsbench_questions_captions_and_judged_files(tmp_path: Path) -> None:
    base: Row = {"question_id": 1, "image_id": "P1.png", "ground_truth": "3", "type": "object quantity"}
    (record,) = read(tmp_path, [{**base, "predicted": "three", "correct": "1"}], "vqa", "vrsbench").records
    assert (record["prediction"], record["reference"], record["question_type"]) == (
        "three",
        "3",
        "object quantity",
    )
    assert score_records("vqa", [record]).metrics["oa"]["value"] == 1  # "three" is 3 there, too
    (record,) = read(tmp_path, [{**base, "answer": "Two."}], "count", "vrsbench").records
    assert record["reference"] == 3
    assert 'its reference "some" is no number' in said(
        tmp_path, [{**base, "answer": "2", "ground_truth": "some"}], "count", "vrsbench"
    )
    (record,) = read(
        tmp_path, [{**base, "answer": "a", "ground_truth": "b c ."}], "caption", "vrsbench"
    ).records
    assert record["references"] == ["b c ."]


def test_lhrs_arrays_with_unit_boxes(tmp_path: Path) -> None:
    rows: list[Row] = [
        {
            "pred": "It is at [0.10, 0.20, 0.30, 0.40].",
            "target": "[0.10, 0.20, 0.30, 0.40]",
            "filename": "1.jpg",
        },
        {"pred": "[0.5, 0.5, 1.0, 1.0]", "target": "[0.0, 0.0, 0.5, 0.5]", "filename": "1.jpg"},
    ]
    found = read(tmp_path, rows, "ground", "lhrs", array=True)
    assert [record["id"] for record in found.records] == ["1.jpg", "1.jpg#2"]
    score = score_records("ground", found.records, boxes=Converter("lhrs", "ground").boxes)
    assert [item["iou"] for item in score.items] == pytest.approx([1, 0])
    assert "hundredths" in score.implementation["sizes"]
    assert score.by == {}
    sized = read(tmp_path, rows, "ground", "lhrs", array=True, image_size=(800, 400)).records[0]
    assert sized["reference"] == pytest.approx([80, 80, 240, 160])

    rows = [{"pred": "Rural", "target": "rural", "types": "rural_urban", "question_id": 9}]
    (record,) = read(tmp_path, rows, "vqa", "lhrs", array=True).records
    assert (record["id"], record["question_type"]) == (9, "rural_urban")


def test_earthdial_lines_of_all_kinds(tmp_path: Path) -> None:
    box: Row = {
        "question": "[refer] …",
        "answer": "<ref>ship</ref> [[10, 20, 30, 40, 90]]",
        "size_group": "small",
    }
    box |= {"gt_bbox": "[[10, 20, 30, 40, 0]]", "task_type": "refer"}
    (record,) = read(tmp_path, [box], "ground", "earthdial").records
    found = score_records("ground", [record])
    # A square turned by a right angle is itself.
    assert found.metrics["miou"]["value"] == pytest.approx(1)
    assert "holds 2 boxes" in said(tmp_path, [{**box, "gt_bbox": box["gt_bbox"] * 2}], "ground", "earthdial")

    caption: Row = {"question": "Describe", "answer": "a field"} | {
        f"caption{n}": f"field {n} ." for n in range(4)
    }
    (record,) = read(tmp_path, [{**caption, "caption4": ""}], "caption", "earthdial").records
    assert record["references"] == [f"field {n} ." for n in range(4)]
    rows: list[Row] = [{"question": "q", "answer": "yes", "annotation": "no", "vqa_type": "presence"}] * 2
    found_lines = read(tmp_path, rows, "vqa", "earthdial")
    assert [record["id"] for record in found_lines.records] == ["1", "2"]
    quoted = [{**rows[0], "vqa_type": '"presence"'}]
    assert read(tmp_path, quoted, "vqa", "earthdial").records[0]["question_type"] == "presence"
    rows = [{"question": "q", "question_id": "a", "answer": "Farmland", "annotation": "Farmland"}]
    assert read(tmp_path, rows, "classify", "earthdial").records[0]["labels"] == ["Farmland"]


def test_brackets_are_rewritten_and_nothing_else() -> None:
    assert (
        angle_brackets("at [[1, 2, 3, 4, -5]] and [1.5,2,3,4]")
        == "at [{<1><2><3><4>|<-5>}] and {<1.5><2><3><4>}"
    )
    assert angle_brackets("[1, 2, 3] [a] [1, 2, 3, 4, 5, 6]") == "[1, 2, 3] [a] [1, 2, 3, 4, 5, 6]"


VALUES: list[Any] = [None, 3, True, [], {}, [None], [[[1, 2], [3, 4]]], "x", [[[1e999, 1]] * 4]]
KEYS: dict[str, tuple[str, ...]] = {
    "geochat": ("question_id", "answer", "ground_truth", "size_group", "width"),
    "lhrs": ("question_id", "filename", "pred", "target", "types"),
    "vrsbench": ("question_id", "answer", "ground_truth", "type"),
    "earthdial": ("answer", "annotation", "gt_bbox", "caption0"),
}


@pytest.mark.parametrize("form", KEYS)
@pytest.mark.parametrize("task", ["caption", "vqa", "count", "ground", "classify"])
def test_no_value_of_a_strangers_field_breaks_it(form: str, task: str) -> None:
    sound = dict.fromkeys(KEYS[form], "{<1><2><3><4>} 3 [0.1, 0.2, 0.3, 0.4]") | {"width": 10, "height": 10}
    for key in KEYS[form]:
        for value in VALUES:
            reason, record = "", None
            try:
                line = Converter(form, task)({**sound, key: value}, 1)
                record = check(task, line, labels=[str(line.get("reference"))], image_size=(10, 10))
            except ValueError as error:  # the reader names the line
                reason = str(error)
            assert "\n" not in reason, (key, value)
            # Captions are scored elsewhere: METEOR takes its time.
            assert record is None or task == "caption" or score_records(task, [record]).n == 1


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(
        UserError, match=r"'llava' is not known: choose one of geochat, lhrs, vrsbench, earthdial"
    ):
        Converter("llava", "vqa")
