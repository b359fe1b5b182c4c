"""`--explain`: what the experts were told and found comes with the answer, where the model has such experts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import skymoe
from cli.conftest import Run
from engine.tiny_model import end_often
from engine.tiny_rsmoe import build
from skymoe.errors import UserError


@pytest.fixture(scope="session")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained RS-MoE as files."""
    model, processor = build()
    end_often(model)
    path = tmp_path_factory.mktemp("experts")
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.mark.parametrize("command", [["caption"], ["ask"]], ids=" ".join)
def test_reports_follow_the_answer(run: Run, folder: Path, experts: Path, command: list[str]) -> None:
    image, words = folder / "a.png", ["any ships here?"] if command == ["ask"] else []
    given = [*command, image, *words, "--model", experts]
    (record,) = json.loads(run(*given, "--json", "--explain", tiny=False).out)
    assert [report["name"] for report in record["explanation"]] == ["theme", "objects", "relations"]
    (unexplained,) = json.loads(run(*given, "--json", tiny=False).out)
    assert unexplained == {key: value for key, value in record.items() if key != "explanation"}

    outcome = run(*given, "--explain", tiny=False)
    answer, *reports = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert answer == run(*given, tiny=False).out.rstrip("\n")
    assert len(reports) == 3
    for line, report in zip(reports, record["explanation"], strict=True):
        assert line.startswith(f"  {report['name']} {report['weight']:.0%}: {report['prompt']}")


def test_each_picture_is_followed_by_its_reports(run: Run, folder: Path, experts: Path) -> None:
    images = [folder / "a.png", folder / "c.png"]
    lines = run("caption", *images, "--explain", "--model", experts, tiny=False).out.splitlines()
    assert [line.partition("\t")[0] for line in lines[::4]] == [str(image) for image in images]
    assert all(line.startswith("  ") for n, line in enumerate(lines) if n % 4)


def test_mistakes_are_one_line(run: Run, folder: Path, experts: Path) -> None:
    outcome = run("caption", folder / "a.png", "--explain")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "no experts that report" in outcome.err
    outcome = run("count", folder / "a.png", "ship", "--model", experts, tiny=False)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "was not made to count" in outcome.err


def test_the_packaged_name_is_known() -> None:
    if (Path(skymoe.__file__).parent / "assets" / "rs-moe-nano" / "config.json").is_file():
        assert skymoe.load("rs-moe-nano").decoder.explains
    else:
        with pytest.raises(UserError, match="'rs-moe-nano' is missing from this installation"):
            skymoe.load("rs-moe-nano")
