"""`skymoe data build`, `check` and `preview` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from skymoe import cli

from .conftest import Recipe


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["skymoe", "data", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Outcome(code, *capsys.readouterr())

    return run


def test_build_check_and_preview(run, recipe: Recipe, tmp_path: Path, miniatures: Path) -> None:
    path, corpus, page = recipe(), tmp_path / "here", tmp_path / "page.html"
    made = run("build", path, "--out", corpus, "--workers", 1, "--set", "sources.0.cap=50")
    assert made.code == 0, made.err
    assert "50 items on" in made.out
    assert "quarantine.jsonl" in made.out
    again = run("build", path, "--out", corpus, "--workers", 1, "--set", "sources.0.cap=50", "--json")
    assert json.loads(again.out)["items"] == 50
    checked = run("check", corpus, "--workers", 1, "--root", miniatures, "--against", "ucm-captions")
    assert checked.code == 0, checked.out
    assert "no faults" in checked.out
    assert "ucm-captions test" in checked.out
    assert run("preview", corpus, "--out", page).code == 0
    assert page.stat().st_size > 10_000


def test_faults_are_exit_code_1(run, recipe: Recipe, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    assert run("build", recipe(), "--workers", 1).code == 0
    next((corpus / "pictures").rglob("2.png")).unlink()
    checked = run("check", corpus, "--no-leakage", "--workers", 1, "--json")
    assert checked.code == 1
    assert json.loads(checked.out)["faults"] == {"pictures": 1}


@pytest.mark.parametrize("command", [("build", "none.yaml"), ("check", "none"), ("preview", "none")])
def test_a_mistake_is_one_line_and_exit_code_2(run, command: tuple[str, ...]) -> None:
    outcome = run(*command)
    assert outcome.code == 2
    assert outcome.err.startswith("skymoe: ")
    assert outcome.err.count("\n") == 1


def test_absent_sources_are_named_with_what_to_do(run, recipe: Recipe, samples: Path, tmp_path: Path) -> None:
    path = recipe(
        sources=[{"name": "samples", "root": str(samples)}, {"name": "dota", "root": str(tmp_path)}]
    )
    refused = run("build", path, "--workers", 1)
    assert refused.code == 2
    assert "dota" in refused.err
    skipped = run("build", path, "--workers", 1, "--skip-absent")
    assert skipped.code == 0
    assert "skipped dota" in skipped.out
