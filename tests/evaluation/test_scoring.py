"""Lines in, numbers out: what cannot be read is wrong and counted."""

from __future__ import annotations

import json

import pytest

from skymoe.evaluation.scoring import score_records


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
