"""Lines in, numbers out: what cannot be read is wrong and counted."""

from __future__ import annotations

import json

import pytest

from skymoe.errors import UserError
from skymoe.evaluation.scoring import details, require, score_records


def test_unparsable_answers_stay_in_the_denominator() -> None:
    counts = [{"prediction": text, "reference": 3} for text in ("3", "many", "three", "2 or 3")]
    score = score_records("count", counts)
    assert (score.n, score.unparsable) == (4, 0.5)
    assert score.metrics["accuracy"]["value"] == 0.5
    assert score.metrics["mae"]["value"] == pytest.approx(6 / 4)

    labels = ["beach", "river", "railway station"]
    scenes = [
        {"prediction": text, "reference": "beach", "labels": labels}
        for text in ("A beach.", "beach or river", "", "railway")
    ]
    score = score_records("classify", scenes)
    assert (score.unparsable, score.metrics["accuracy"]["value"]) == (0.75, 0.25)

    boxes = [
        {"prediction": text, "reference": [0, 0, 50, 100], "width": 100, "height": 200}
        for text in ("{<0><0><50><50>}", "in the corner")
    ]
    score = score_records("ground", boxes)
    assert (score.unparsable, score.metrics["acc@0.7"]["value"]) == (0.5, 0.5)


def test_a_turned_box_is_judged_by_the_box_around_it_and_the_first_counts() -> None:
    line = {"reference": [0, 0, 100, 100], "width": 100, "height": 100}
    turned = {"prediction": "{<15><15><85><85>|<45>}", **line}
    # A square of side 70 turned by 45° is 98.99 wide: IoU 0.98.
    score = score_records("ground", [turned])
    assert score.metrics["miou"]["value"] == pytest.approx(0.98, abs=1e-3)
    two = {"prediction": "{<0><0><100><100>} {<0><0><1><1>}", **line}
    assert score_records("ground", [two]).metrics["miou"]["value"] == 1


def test_questions_are_scored_by_type() -> None:
    lines = [
        {"prediction": "2", "reference": "two", "question_type": "count"},
        {"prediction": "no", "reference": "yes", "question_type": "presence"},
        {"prediction": "", "reference": "no", "question_type": "presence"},
    ]
    score = score_records("vqa", lines)
    assert score.metrics["oa"]["value"] == pytest.approx(1 / 3)
    assert score.metrics["aa"]["value"] == pytest.approx(1 / 2)
    assert score.by["presence"]["accuracy"]["value"] == 0
    assert score.unparsable == pytest.approx(1 / 3)


def test_a_score_is_plain_json_and_names_its_code(without_java: None) -> None:
    pytest.importorskip("pycocoevalcap")
    score = score_records("caption", [{"prediction": "a plane .", "references": ["a plane .", "planes ."]}])
    record = json.loads(json.dumps(score.to_dict()))
    assert record["protocol"] == "standard"
    assert "pycocoevalcap" in record["implementation"]["captions"]
    assert "Java" in record["notes"]["meteor"]
    assert set(record["metrics"]["bleu1"]) == {"value", "low", "high"}


def test_details_are_the_items_of_the_score() -> None:
    lines = [
        {"id": 1, "prediction": "two", "reference": "2", "question_type": "count", "labels": ["1", "2"]},
        {"id": 2, "prediction": "3", "reference": "2", "question_type": "count", "labels": ["1", "2"]},
    ]
    assert details("vqa", lines) == score_records("vqa", lines).items
    assert details("vqa", lines) == [
        {"id": 1, "parsed": "two", "correct": True},
        {"id": 2, "parsed": None, "correct": False},
    ]
    assert "items" not in score_records("vqa", lines).to_dict()


def test_numbers_count_by_class_where_a_line_says_so() -> None:
    line = {"prediction": "14", "reference": "37", "question_type": "count"}
    assert not score_records("vqa", [line]).items[0]["correct"]
    assert score_records("vqa", [{**line, "binned": True}]).items[0]["correct"]
    assert score_records("vqa", [{**line, "question_type": "area"}]).items[0]["correct"]


def test_unread_counts_both_ways_and_counts_by_class() -> None:
    lines = [
        {"prediction": "4", "reference": 4, "class": "ship"},
        {"prediction": "many", "reference": 0, "class": "ship"},
        {"prediction": "3", "reference": 1, "class": "plane"},
    ]
    score = score_records("count", lines)
    assert score.metrics["accuracy"]["value"] == pytest.approx(1 / 3)
    assert score.by["unread as zero"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert score.by["read only"]["accuracy"]["value"] == pytest.approx(1 / 2)
    assert score.by["plane"]["mae"]["value"] == 2
    assert list(score_records("count", lines[:1]).by) == ["ship"]


def test_turned_boxes_have_a_second_metric_and_sizes_their_groups() -> None:
    size = {"width": 400, "height": 400}
    tilted = {"prediction": "{<25><25><75><75>|<45>}", "reference": [100, 100, 300, 300], **size}
    score = score_records("ground", [tilted])
    # The turned square against the upright one: an octagon, 0.7071 of both together.
    assert score.metrics["rotated_miou"]["value"] == pytest.approx(0.7071, abs=1e-3)
    assert score.items[0]["rotated_iou"] == pytest.approx(0.7071, abs=1e-3)
    assert score.metrics["miou"]["value"] == pytest.approx(0.5, abs=1e-3)
    small = {"prediction": "{<0><0><5><5>}", "reference": [0, 0, 20, 20], **size}
    plain = score_records("ground", [small, {**small, "reference": [0, 0, 300, 300]}])
    assert "rotated_miou" not in plain.metrics
    assert list(plain.by) == ["small", "large"]
    assert list(score_records("ground", [{**small, "size_group": "tiny"}]).by) == ["tiny"]


def test_the_paper_protocol_is_another_set_of_rules() -> None:
    scenes = [{"prediction": "not a beach", "reference": "beach", "labels": ["beach", "river"]}]
    assert score_records("classify", scenes, protocol="paper").metrics["accuracy"]["value"] == 1
    counts = [{"prediction": "3 or 4", "reference": 3}, {"prediction": "fourteen", "reference": 14}]
    score = score_records("count", counts, protocol="paper")
    assert [item["parsed"] for item in score.items] == [3, None]
    assert score.protocol == "paper"
    assert "comparison" in score.implementation["rules"]
    far = {"prediction": "{<80><80><90><90>}", "reference": [82, 82, 92, 92], "width": 100, "height": 100}
    assert score_records("ground", [far]).items[0]["iou"] < 0.5
    assert score_records("ground", [far], protocol="paper").items[0]["iou"] > 0.8
    with pytest.raises(UserError, match="choose standard or paper"):
        score_records("count", counts, protocol="coco")
    with pytest.raises(UserError, match="choose standard or paper"):
        require("count", "coco")


def test_spice_is_refused_where_it_means_nothing_and_said_where_it_cannot_run() -> None:
    with pytest.raises(UserError, match="SPICE judges captions by protocol standard, not count"):
        score_records("count", [{"id": 1, "prediction": "1", "reference": 1}], spice=True)
    record = {"id": 1, "prediction": "a field", "references": ["a green field ."]}
    found = score_records("caption", [record], spice=True)
    assert ("spice" in found.metrics) != ("spice" in found.notes)
    assert "spice" not in score_records("caption", [record]).notes
