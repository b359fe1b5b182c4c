"""The benchmark of the caption metrics runs at a small size, and finds both programs to agree."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

pytest.importorskip("pycocoevalcap", reason="it is what the metrics are compared with")
SCRIPT = Path(__file__).parents[3] / "benchmarks" / "caption_metrics.py"


def test_both_agree_and_the_result_is_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # no Java: its start is not what is tested
    monkeypatch.setenv("SKYMOE_DATA", str(tmp_path))
    runpy.run_path(str(SCRIPT))["main"](["--images", "12", "--rounds", "1"])
    found = json.loads(capsys.readouterr().out)
    assert found["captions"] == {"images": 12, "references": 5, "source": "random words"}
    assert found["plain"]["largest_difference"] < 1e-9
    assert set(found["plain"]["values"]) == {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"}
