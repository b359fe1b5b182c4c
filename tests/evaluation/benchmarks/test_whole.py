"""All of the paper's benchmarks through a whole evaluation, on every data set in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.conftest import ByPixels
from skymoe.evaluation.benchmarks import FAMILIES, get_benchmark, select
from skymoe.evaluation.predictions import read_predictions
from skymoe.evaluation.running import Settings, evaluate
from skymoe.evaluation.scoring import score_records

pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")
pytestmark = pytest.mark.usefixtures("without_java")

SETTINGS = Settings(num_beams=1, batch_size=64)


def test_all_of_them_run_and_say_what_they_are(official_miniatures: Path, tmp_path: Path) -> None:
    found = evaluate(
        ByPixels(),
        {"name": "m", "weights": "0"},
        select(["paper"]),
        tmp_path,
        SETTINGS,
        root=official_miniatures,
    )
    assert found["skipped"] == {}
    assert set(found["results"]) == set(FAMILIES["paper"])
    for name, result in found["results"].items():
        benchmark = get_benchmark(name)
        assert result["published"] == benchmark.published
        assert result["official_questions"] == benchmark.questions.get("test")
        assert set(benchmark.metrics) - {"meteor"} <= set(result["metrics"])
        assert "blind" in result
        lines = read_predictions(tmp_path / name / "predictions.jsonl")
        assert score_records(benchmark.task, lines).metrics == result["metrics"]
    # A set without a training split has no constant answer, and says so.
    alone = found["results"]["mgrs-count"]
    assert "constant" not in alone
    assert "nothing to ask in its split 'train'" in alone["notes"]["constant"]
    assert "constant" in found["results"]["dota-v2"]


def test_rotated_references_travel_with_the_lines(official_miniatures: Path) -> None:
    items = get_benchmark("avvg").items("train", root=official_miniatures)
    lines = {item.query.subject: item.record() for item in items}
    assert len(lines["the red car near the crossing"]["polygon"]) == 8
    # nano's own grounding has none, and its lines stay what they were.
    tanks = get_benchmark("mgrs-ground").items(root=official_miniatures)[0].record()
    assert set(tanks) == {"id", "question", "reference", "width", "height"}
