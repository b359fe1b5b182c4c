"""What one answer cannot tell, all answers together can."""

from __future__ import annotations

import pytest

from skymoe.boxes import NOTATIONS, Box, format_box
from skymoe.evaluation.notations import notation_of
from skymoe.evaluation.scoring import score_records

SIZE = {"width": 500, "height": 400}
BOXES = (Box(10, 20, 60, 70), Box(250, 100, 490, 390), Box(30, 300, 100, 380))


def lines(*texts: str) -> list[dict[str, object]]:
    return [{"prediction": text, **SIZE} for text in texts]


@pytest.mark.parametrize(
    ("texts", "notation"),
    [
        (["[0.1, 0.2, 0.3, 0.4]", "[0, 0, 1, 1]"], "unit"),
        (["[0, 0, 1, 1]", "[10, 20, 30, 40]"], "pixel"),
        (["[10, 20, 30, 40]", "[0, 0, 1, 1]", "[700, 20, 999, 40]"], "qwen"),
        (["[10, 20, 30, 450]"], "qwen"),
        (["(1,2),(3,4)", "[10, 20, 30, 40]"], "qwen"),
        (["{<1><2><3><4>}", "nowhere", ""], "geochat"),
        ([""], "geochat"),
    ],
)
def test_the_file_decides_by_the_answer_that_leaves_least_choice(texts: list[str], notation: str) -> None:
    assert notation_of(lines(*texts)) == notation
    assert notation_of(lines(*texts), "vhm") == "vhm"


def test_what_the_model_saw_may_be_larger_than_the_picture() -> None:
    line = {"prediction": "[10, 20, 900, 40]", **SIZE, "input_size": (1000, 800)}
    assert notation_of([line]) == "pixel"


@pytest.mark.parametrize("notation", [name for name in NOTATIONS if name != "auto"])
def test_every_notation_is_read_as_it_was_written(notation: str) -> None:
    records = [
        {"prediction": format_box(box, 500, 400, notation), "reference": list(box.xyxy), **SIZE}
        for box in BOXES
    ]
    found = score_records("ground", records, boxes=notation)
    assert found.metrics["miou"]["value"] > 0.9
    assert found.implementation["boxes"] == notation
    auto = score_records("ground", records, boxes="auto")
    # Only VHM's thousandths cannot be told from Qwen's; they differ by a thousandth.
    assert auto.metrics["miou"]["value"] == pytest.approx(found.metrics["miou"]["value"], abs=0.01)


def test_angle_brackets_are_read_beside_lists() -> None:
    records = [
        {"prediction": "{<0><0><50><50>}", "reference": [0, 0, 250, 200], **SIZE},
        {"prediction": "[0, 0, 250, 200]", "reference": [0, 0, 250, 200], **SIZE},
    ]
    found = score_records("ground", records, boxes="auto")
    assert found.metrics["acc@0.7"]["value"] == 1
    assert found.implementation["boxes"] == "pixel (found by auto)"
