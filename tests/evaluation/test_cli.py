"""`skymoe eval` from the outside: table, JSON, Markdown, files, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.tiny_model import build
from skymoe.cli.evaluate import evaluate
from skymoe.errors import UserError

pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")
pytestmark = pytest.mark.usefixtures("without_java")

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for part in build():
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def here(tmp_path: Path, miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYMOE_DATA", str(miniatures))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_table_json_and_markdown_are_one_report(checkpoint: Path, here: Path) -> None:
    chosen = [str(checkpoint), "-b", "ucm-scenes", "-b", "rsivqa-ucm", "--num-beams", "1"]
    table = CliRunner().invoke(app, chosen)
    assert table.exit_code == 0, table.output
    assert "mean class recall" in table.stdout
    (folder,) = (here / "runs" / "eval").iterdir()
    assert folder.name.startswith(f"{checkpoint.name}-")
    assert folder.name.endswith("-beams1")
    saved = json.loads((folder / "report.json").read_text(encoding="utf-8"))

    as_json = CliRunner().invoke(app, [*chosen, "--json"])
    assert json.loads(as_json.stdout) == saved
    as_markdown = CliRunner().invoke(app, [*chosen, "--markdown"])
    assert as_markdown.stdout.startswith(
        "| Benchmark | N | Metric | Value | 95 % interval | Blind | Constant |"
    )
    assert as_markdown.stdout in (folder / "report.md").read_text(encoding="utf-8")


def test_one_benchmark_that_runs_is_success(
    checkpoint: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "RSIVQA").symlink_to(here)
    monkeypatch.setenv("SKYMOE_DATA", str(here))
    nothing = CliRunner().invoke(app, [str(checkpoint), "-b", "ucm-scenes", "-b", "airbus-count"])
    assert nothing.exit_code == 2
    assert "skipped airbus-count: airbus-oil-storage: no Airbus-OilStorage/annotations.csv" in nothing.stderr


def test_mistakes_are_named_before_anything_is_loaded(here: Path) -> None:
    for arguments, words in (
        (["nano", "-b", "rsicdd"], "did you mean rsicd"),
        (["nano", "--split", "train"], "choose test or val"),
        (["nowhere"], "unknown model 'nowhere'"),
    ):
        found = CliRunner().invoke(app, arguments)
        assert isinstance(found.exception, UserError)
        assert words in str(found.exception)
    assert CliRunner().invoke(app, ["nano", "--limit", "0"]).exit_code == 2


def test_the_list_needs_no_model(here: Path) -> None:
    found = CliRunner().invoke(app, ["--list"])
    assert found.exit_code == 0
    assert "airbus-ground" in found.stdout
    assert "1,027 of 1,093" in found.stdout


def test_ours_is_asked_as_ever(checkpoint: Path, here: Path) -> None:
    for option in (["--explain"], ["--boxes", "qwen"], ["--max-tokens", "5"]):
        found = CliRunner().invoke(app, [str(checkpoint), "-b", "ucm-scenes", *option])
        assert isinstance(found.exception, UserError), option
        assert "models of others" in str(found.exception)
    wrong = CliRunner().invoke(app, ["nano", "--boxes", "yolo"])
    assert "unknown box notation 'yolo'" in str(wrong.exception)
