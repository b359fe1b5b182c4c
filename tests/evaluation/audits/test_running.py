"""All audits together, on miniature data, from the command line, and with nano on real pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engine.tiny_model import build, end_often
from evaluation.conftest import ByPixels
from skymoe.cli.audit import audit as command
from skymoe.errors import UserError
from skymoe.evaluation.audits.bench import Settings
from skymoe.evaluation.audits.running import AUDITS, audit, select
from skymoe.evaluation.benchmarks import select as benchmarks

MODEL = {"name": "m", "weights": "0"}
COUNT = benchmarks(["airbus-count"])
app = typer.Typer()
app.command()(command)


def test_audits_are_chosen_by_name_in_their_own_order() -> None:
    assert [one.name for one in select([])] == list(AUDITS)
    assert [one.name for one in select(["blind, masking", "blind"])] == ["masking", "blind"]
    with pytest.raises(UserError, match="'maskin'"):
        select(["maskin"])


def test_what_cannot_be_done_is_skipped_with_the_reason(miniatures: Path, tmp_path: Path) -> None:
    chosen = benchmarks(["airbus-count", "rsivqa-ucm", "rsod"])
    found = audit(ByPixels(), MODEL, chosen, tmp_path, Settings(limit=4), root=miniatures)
    assert set(found["audits"]["masking"]["results"]) == {"airbus-count"}
    assert set(found["audits"]["invariance"]["results"]) == {"airbus-count", "rsivqa-ucm"}
    # The miniature has one test picture with questions; an engine of fixed answers has no words of its own.
    assert "only one picture" in found["skipped"]["blind, rsivqa-ucm"]
    assert "own words" in found["skipped"]["phrasing, airbus-count"]
    assert "rsod" in found["skipped"]
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["skipped"] == found["skipped"]


def test_a_stopped_audit_continues_to_the_same_report(miniatures: Path, tmp_path: Path) -> None:
    settings = Settings(limit=4, batch_size=2)
    whole = audit(ByPixels(), MODEL, COUNT, tmp_path / "whole", settings, root=miniatures)
    for fail_at in (1, 5, 9):
        with pytest.raises(KeyboardInterrupt):
            audit(ByPixels(fail_at), MODEL, COUNT, tmp_path / "parts", settings, root=miniatures)
    assert audit(ByPixels(), MODEL, COUNT, tmp_path / "parts", settings, root=miniatures) == whole
    for path in (tmp_path / "whole").rglob("*.*"):
        again = tmp_path / "parts" / path.relative_to(tmp_path / "whole")
        assert path.read_bytes() == again.read_bytes(), path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    model, processor = build()
    end_often(model)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def here(tmp_path: Path, miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYMOE_DATA", str(miniatures))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_a_page_and_prints_the_same_report_three_ways(
    checkpoint: Path, here: Path
) -> None:
    chosen = [str(checkpoint), "-b", "airbus-count", "--only", "masking,invariance", "--limit", "2"]
    table = CliRunner().invoke(app, chosen)
    assert table.exit_code == 0, table.output
    assert "slope of predicted against true count" in table.stdout
    (folder,) = (here / "runs" / "audit").iterdir()
    assert folder.name.endswith("-limit2")
    assert (folder / "report.html").is_file()
    as_json = CliRunner().invoke(app, [*chosen, "--json"])
    read = json.loads(as_json.stdout)
    assert set(read["audits"]) == {"masking", "invariance"}
    lines = read["audits"]["invariance"]["results"]["airbus-count"]["measures"]
    assert all(line["value"] == 1 for line in lines if line["name"].endswith("the same text"))
    as_markdown = CliRunner().invoke(app, [*chosen, "--markdown"])
    assert as_markdown.stdout in (folder / "report.md").read_text(encoding="utf-8")


def test_mistakes_are_told_before_the_model_is_loaded(here: Path) -> None:
    for arguments in (["--only", "mask"], ["--split", "train"], ["-b", "ucm"], ["--boxes", "mm"]):
        assert isinstance(CliRunner().invoke(app, ["no-such-model", *arguments]).exception, UserError)


@pytest.mark.data
@pytest.mark.slow
def test_nano_on_a_few_real_pictures(real: Path, tmp_path: Path) -> None:
    import skymoe

    chosen = benchmarks(["airbus-count", "ucm-scenes"])
    engine = skymoe.load("nano", device="cpu")
    found = audit(engine, MODEL, chosen, tmp_path, Settings(limit=3, steps=2, wordings=2), root=real)
    results: dict[str, Any] = {name: one["results"] for name, one in found["audits"].items()}
    assert set(results["masking"]) == {"airbus-count"}
    for name in ("blind", "phrasing", "resolution", "invariance", "calibration"):
        assert set(results[name]) == {"airbus-count", "ucm-scenes"}, found["skipped"]
    for result in results["invariance"].values():
        for line in result["measures"]:
            assert line["value"] == 1 or not line["name"].endswith("the same answer"), line
