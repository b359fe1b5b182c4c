"""`skymoe eval` with models of others, from the outside: endpoints, absent data, questions for models elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from evaluation.engines.chat_server import serving
from skymoe.cli.evaluate import evaluate
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import BENCHMARKS

pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")
pytestmark = pytest.mark.usefixtures("without_java")

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture
def here(tmp_path: Path, miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYMOE_DATA", str(miniatures))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_says_whose_data_are_here_and_which_families_there_are(here: Path) -> None:
    lines = CliRunner().invoke(app, ["--list"]).stdout.splitlines()
    assert any(line.startswith("  airbus-ground ") for line in lines)
    assert any(line.startswith("– dior-rsvg ") for line in lines)
    assert any(line.split()[:2] == ["grounding", "dior-rsvg,"] for line in lines)


def test_an_endpoint_is_a_model(here: Path) -> None:
    with serving() as server:
        chosen = [
            f"{server.url}#org/Some-VL",
            "-b",
            "airbus-count",
            "-b",
            "airbus-ground",
            "--boxes",
            "pixel",
        ]
        found = CliRunner().invoke(app, [*chosen, "--no-baselines", "--json"])
        assert found.exit_code == 0, found.output
        refused = CliRunner().invoke(app, [*chosen, "--num-beams", "3"])
        assert isinstance(refused.exception, UserError)
        server.trouble = lambda number, body: (404, {}, b"gone")
        lost = CliRunner().invoke(app, [server.url, "-b", "ucm-scenes"])
        assert isinstance(lost.exception, UserError)
        assert "what was answered is in runs/eval/fake-vl-" in str(lost.exception)
    report = json.loads(found.stdout)
    assert report["model"]["name"] == "Some-VL"
    assert (report["settings"]["constrained"], report["settings"]["num_beams"]) == (False, 1)
    assert report["settings"]["boxes"] == "pixel"
    assert report["results"]["airbus-ground"]["unparsable"] == 0
    # The widths of its boxes are right to the pixel, read as anything else they would be far off.
    (folder,) = (path for path in (here / "runs" / "eval").iterdir() if path.name.startswith("Some-VL-"))
    assert folder.name.endswith("-beams1-free")


def test_all_names_those_that_are_not_here(here: Path) -> None:
    with serving() as server:
        some = CliRunner().invoke(app, [server.url, "--limit", "1", "--no-baselines", "--json"])
        everything = CliRunner().invoke(
            app, [server.url, "--limit", "1", "--no-baselines", "--all", "--json"]
        )
    assert (some.exit_code, everything.exit_code) == (0, 0), (some.exception, everything.exception)
    known, named = json.loads(some.stdout), json.loads(everything.stdout)
    assert known["skipped"] == {}
    assert known["results"] == named["results"]
    assert "DIOR_RSVG" in named["skipped"]["dior-rsvg"]
    assert len(named["results"]) + len(named["skipped"]) == len(BENCHMARKS)
    both = CliRunner().invoke(app, ["nano", "--all", "-b", "rsod"])
    assert isinstance(both.exception, UserError)


def test_questions_for_models_that_run_elsewhere(here: Path) -> None:
    found = CliRunner().invoke(app, ["--questions", "asked", "-b", "airbus-count", "-b", "rsod"])
    assert found.exit_code == 0, found.output
    assert "skipped rsod: rsod: no " in found.stderr
    lines = [json.loads(line) for line in (here / "asked" / "airbus-count.jsonl").read_text().splitlines()]
    assert lines[0]["question"] == "How many storage tanks are there in this image? Answer with a number."
    assert Path(lines[0]["image"]).is_file()
    assert f"{len(lines)} questions" in found.stdout
    assert CliRunner().invoke(app, ["--questions", "asked", "-b", "rsod"]).exit_code == 2
