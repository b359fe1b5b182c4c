"""docs/your-data.md is run as it is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data.sources.miniatures import class_folders, coco, conversations, table, voc, yolo
from skymoe.cli import app
from skymoe.data.sources import FORMATS, source_class

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "your-data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for miniature in (class_folders, coco, conversations, table, voc, yolo):
        miniature.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("code", blocks("python"), ids=range(len(blocks("python"))))
def test_python_runs(workplace: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "your-data.md", "exec"), {})
    assert len(capsys.readouterr().out) > 20


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_commands_run(workplace: Path, line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "skymoe"
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert "train" in outcome.output


def test_the_recipe_builds(workplace: Path) -> None:
    (text,) = blocks("yaml")
    (workplace / "mine.yaml").write_text(text, encoding="utf-8")
    outcome = CliRunner().invoke(app, ["data", "build", "mine.yaml", "--workers", "1"])
    assert outcome.exit_code == 0, outcome.output
    assert "port-ships" in outcome.output


def test_every_format_and_option_is_told_of() -> None:
    for name in FORMATS:
        if name == "samples":  # what augmentation writes; told of there
            continue
        assert f"`{name}`" in PAGE
        source = source_class(name)
        assert "Licence:" in (source.__doc__ or "")
        for option in list(source.__signature__.parameters)[1:]:  # type: ignore[attr-defined]
            assert option in PAGE, (name, option)
