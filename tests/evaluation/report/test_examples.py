"""Which answers are shown as the worst, and how they are kept."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluation.report.conftest import made_result
from skymoe.evaluation.benchmarks import Item
from skymoe.evaluation.report.examples import SHOWN, complete, gather, read_examples
from skymoe.sample import Sample
from skymoe.tasks import Query

LABELS = ["airport", "beach", "church"]


def scene(number: int, wanted: str, given: str, sure: float | None = None) -> dict[str, Any]:
    line = {
        "id": f"s/{number}",
        "question": "Which?",
        "reference": wanted,
        "labels": LABELS,
        "prediction": given,
    }
    return line if sure is None else {**line, "confidence": sure}


def shown(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["shown"]]


def test_unparsable_answers_come_first_then_those_the_model_was_surest_of() -> None:
    records = [
        scene(0, "airport", "airport", 0.9),
        scene(1, "airport", "beach", 0.3),
        scene(2, "airport", "church", 0.8),
        scene(3, "airport", "a cat", 0.1),
    ]
    found = gather("classify", records, {})
    assert shown(found) == ["s/3", "s/2", "s/1"]
    assert [one["why"] for one in found["shown"]] == ["unparsable", "", ""]
    assert (found["n"], found["wrong"]) == (4, 3)


def test_other_kinds_of_mistakes_are_shown_before_more_of_the_same() -> None:
    records = [scene(n, "airport", "beach", 0.9 - n / 100) for n in range(20)]
    records.append(scene(20, "church", "beach", 0.1))
    found = gather("classify", records, {})
    assert len(found["shown"]) == SHOWN
    assert "s/20" in shown(found)
    assert found["confusions"] == [{"reference": "airport", "prediction": "beach", "n": 20}]


def test_a_picture_is_shown_once() -> None:
    records = [
        {
            "id": f"p#{n}",
            "question": "?",
            "question_type": "count",
            "reference": "one",
            "prediction": str(n + 5),
        }
        for n in range(4)
    ]
    assert shown(gather("vqa", records, {})) == ["p#0"]


def test_counts_are_ranked_by_how_far_off_they_are() -> None:
    pairs = [(3, "3"), (10, "4"), (2, "12"), (5, "cannot tell")]
    records = [
        {"id": str(n), "question": "?", "reference": r, "prediction": p} for n, (r, p) in enumerate(pairs)
    ]
    found = gather("count", records, {})
    assert [(one["id"], one["why"]) for one in found["shown"]] == [
        ("3", "unparsable"),
        ("2", "10 too many"),
        ("1", "6 too few"),
    ]
    assert found["drawn"] == [[2, 12, 1], [3, 3, 1], [5, 0, 1], [10, 4, 1]]


def test_boxes_are_shown_with_the_one_that_was_asked_for() -> None:
    size = {"width": 200, "height": 100, "reference": [0, 0, 100, 50], "question": "?"}
    texts = ["{<0><0><50><50>}", "{<50><50><100><100>}", "nowhere"]
    records = [{"id": str(n), "prediction": text, **size} for n, text in enumerate(texts)]
    found = gather("ground", records, {})
    assert [(one["id"], one["why"]) for one in found["shown"]] == [("2", "unparsable"), ("1", "IoU 0.00")]
    assert [box["who"] for box in found["shown"][0]["boxes"]] == ["reference"]
    assert found["shown"][1]["boxes"][1] == {
        "who": "prediction",
        "points": [100, 50, 200, 50, 200, 100, 100, 100],
    }
    assert found["drawn"][0] == [0.0, 1.0]
    assert found["drawn"][-1] == [1.0, pytest.approx(1 / 3)]


def test_boxes_are_read_in_the_models_notation() -> None:
    record = {"id": "0", "prediction": "[100, 50, 200, 100]", "width": 200, "height": 100, "question": "?"}
    found = gather("ground", [{**record, "reference": [100, 50, 200, 100]}], {}, boxes="pixel")
    assert found["wrong"] == 0


def test_of_captions_the_worse_half_is_looked_at() -> None:
    pytest.importorskip("pycocoevalcap")
    references = ["many planes are at the airport .", "a beach with white waves .", "a quiet green forest ."]
    records = [
        {"id": str(n), "question": "?", "references": [text], "prediction": text if n else "a church"}
        for n, text in enumerate(references)
    ]
    found = gather("caption", records, {})
    assert shown(found)[0] == "0"
    assert found["shown"][0]["why"] == "CIDEr 0.00"
    assert found["wrong"] is None


def test_examples_are_kept_with_their_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (900, 600), (10, 120, 30)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    records = [scene(0, "airport", "beach"), scene(1, "airport", "church"), scene(2, "beach", "church")]
    items = [
        Item(
            record["id"],
            Sample(record["id"], str(tmp_path / name), "aid", "test", "", 900, 600),
            Query("classify", None, record["reference"], labels=tuple(LABELS)),
        )
        for record, name in zip(records, ("a.png", "broken.png", "gone.png"), strict=True)
    ]
    folder = tmp_path / "run" / "ucm-scenes"
    result = complete(made_result("classify", {}), records, folder, items)
    assert result["sizes"] == {"airport": 2, "beach": 1}
    assert "paper" not in result  # the paper has no UC Merced
    found = read_examples(folder)
    assert found is not None
    by_id = {one["id"]: one for one in found["shown"]}
    assert by_id["s/1"]["picture"] is by_id["s/2"]["picture"] is None
    kind, data = by_id["s/0"]["picture"].split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (320, 213)


def test_what_the_paper_has_is_also_scored_by_its_rules(tmp_path: Path) -> None:
    records = [scene(0, "airport", "This is an Airport!"), scene(1, "airport", "airport or beach")]
    result = complete(made_result("classify", {}), records, tmp_path / "aid-rsicd-test")
    # By these rules any answer that contains the label is right.
    assert result["paper"]["metrics"]["accuracy"]["value"] == 1.0


def test_a_broken_file_is_no_example(tmp_path: Path) -> None:
    assert read_examples(tmp_path) is None
    for text in ("{", "[]", '{"shown": 3}'):
        (tmp_path / "examples.json").write_text(text)
        assert read_examples(tmp_path) is None
