"""`skymoe report`: the pages of a finished run made anew, without the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evaluation.conftest import MINIATURES, ByPixels
from skymoe.cli import app
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.report.rebuilding import read_report, rebuild
from skymoe.evaluation.running import Settings, evaluate

NAMES = ("aid-rsicd-test", "airbus-ground")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    chosen = [get_benchmark(name) for name in NAMES]
    evaluate(
        ByPixels(), {"name": "m", "weights": "0"}, chosen, out, Settings(baselines=False), root=MINIATURES
    )
    return out


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", *arguments])


def test_the_report_made_anew_is_the_report(run: Path, tmp_path: Path) -> None:
    said: list[str] = []
    rebuild(run, tmp_path, root=MINIATURES, said=said.append)
    assert said == []
    for name in ("report.html", "report.md", "report.json", *(f"{one}/examples.json" for one in NAMES)):
        assert (tmp_path / name).read_bytes() == (run / name).read_bytes(), name


def test_without_the_data_everything_but_the_pictures_is_there(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(tmp_path / "nowhere"))
    result = ask(str(run), "--out", str(tmp_path / "new"), "--trained-on", "aid")
    assert result.exit_code == 0, result.output
    assert "airbus-ground: no pictures:" in result.stderr
    assert result.stdout.strip() == str(tmp_path / "new" / "report.html")
    text = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "no picture at hand" in text
    assert "<img" not in text
    assert 'class="box reference"' in text
    assert "In-domain: the model was trained on the training split of AID" in text
    assert json.loads((tmp_path / "new" / "report.json").read_text())["model"]["trained_on"] == ["aid"]


def test_lost_predictions_are_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes((run / "report.json").read_bytes())
    said: list[str] = []
    rebuild(tmp_path, tmp_path, root=MINIATURES, said=said.append)
    assert [line.split(":")[0] for line in said] == list(NAMES)
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (None, "no such file"),
        ("{", "cannot be read"),
        ("[]", "has no 'model'"),
        ('{"model": {}, "settings": {}, "results": {}, "skipped": {}}', "has no 'versions'"),
        (
            '{"model": {}, "settings": {}, "results": {"../x": {"task": "vqa"}}, "skipped": {}, "versions": {}}',
            "'../x' is no name",
        ),
        (
            '{"model": {}, "settings": {}, "results": {"x": {"task": "y"}}, "skipped": {}, "versions": {}}',
            "no known task",
        ),
    ],
)
def test_what_is_no_report_is_one_line(tmp_path: Path, text: str | None, wrong: str) -> None:
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match=wrong) as caught:
        read_report(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_slip_in_a_data_sets_name_is_not_believed(run: Path) -> None:
    result = ask(str(run), "--trained-on", "aids")
    assert isinstance(result.exception, UserError)
    assert "did you mean aid" in str(result.exception)
