"""Outputs that cannot be written and records that are none: one line each, with a remedy that can be followed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tiny_base import recipe
from typer.testing import CliRunner

from skymoe.cli import app
from skymoe.errors import UserError
from skymoe.train import trainer
from skymoe.train.checkpoints import room, save_whole
from skymoe.train.recipe import Recipe
from skymoe.train.records import RECORD, Records
from skymoe.train.stages import Training

STAGE = {"kind": "dense", "name": "stage1", "steps": 1, "train": ["multi_modal_projector"]}
NO_RECORDS = [
    "", "{}", "[]", '"x"', "5", "null", "[" * 100_000, '{"recipe": {}}', '{"recipe": [], "from": {}}',
    '{"recipe": {"stages": [5]}, "from": {}}', '{"recipe": {"data": {"sources": ["x"]}}, "from": {}}',
    '{"recipe": {}, "from": null}', '{"recipe": {}, "from": {"base.model": []}}',
]  # fmt: skip


def made(output: Path, tiny: Path, **changes: str) -> Recipe:
    return recipe(output, tiny / "llava", tiny / "samples", STAGE, **changes)


def refused(given: Recipe, words: str) -> str:
    with pytest.raises(UserError, match=words) as caught:
        Training(given).run()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished") / "run"
    Training(made(output, tiny)).run()
    return output


@pytest.mark.parametrize("content", NO_RECORDS)
@pytest.mark.parametrize("place", [RECORD, f"stage1/{RECORD}"])
def test_what_is_no_record_is_said_and_can_be_deleted(
    tiny: Path, finished: Path, place: str, content: str
) -> None:
    path = finished / place
    kept = path.read_text()
    try:
        path.write_text(content)
        message = refused(made(finished, tiny), "delete it if the recipe is the one it was begun with$")
        assert message.startswith(str(path))
        path.unlink()
        assert Training(made(finished, tiny)).run().is_dir()
    finally:
        path.write_text(kept)


def test_an_output_that_cannot_be_written(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "part" / f"{RECORD}.part").mkdir(parents=True)
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "stage1").touch()
    outputs = ["file", "file/below", "loop", "n" * 300, "part", "stage"]
    if sys.platform.startswith("linux"):
        outputs.append("/proc/x")
    for name in outputs:
        refused(made(tmp_path / name, tiny), r"cannot be written \([A-Z][\w ]+\): choose another output$")


def test_the_list_of_an_impossible_output(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(made(tmp_path / ("n" * 300), tiny).model_dump_json(by_alias=True))
    done = CliRunner().invoke(app, ["train", str(path), "--list"])
    assert isinstance(done.exception, UserError)
    assert r"can't be read (File name too long): choose another output" in str(done.exception)


def test_a_model_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "stage1").touch()
    with pytest.raises(UserError, match=r"could not be written \(Not a directory\): choose another output$"):
        save_whole(tmp_path / "stage1" / "model", lambda partial: None)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tiny: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        for output in (tmp_path, tmp_path / "below"):
            refused(made(output, tiny), r"cannot be written \(Permission denied\): choose another output$")
    finally:
        tmp_path.chmod(0o700)


def test_the_precision_that_auto_meant_is_kept(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = made(tmp_path, tiny, precision="auto")
    Training(given).run()
    record = tmp_path / "stage1" / RECORD
    kept = json.loads(record.read_text())
    meant = kept["recipe"]["precision"]
    assert meant == ("bf16" if trainer.use_bf16("auto") else "fp32")
    other = {"bf16": "fp32", "fp32": "bf16"}[meant]
    Records(made(tmp_path, tiny, precision=meant)).check()
    # A machine with other instructions.
    monkeypatch.setattr(trainer, "use_bf16", lambda precision: other == "bf16")
    with pytest.raises(UserError, match=f"precision '{meant}', not '{other}'"):
        Records(given).check()
    # Records from before say "auto" and bind nobody.
    for path in (record, tmp_path / RECORD):
        kept = json.loads(path.read_text())
        kept["recipe"]["precision"] = "auto"
        path.write_text(json.dumps(kept))
    Records(given).check()


def test_room_is_told_in_units_that_say_something() -> None:
    assert [room(size) for size in (0, 12_345_678, 2_000_000_000)] == ["0.0 MB", "12.3 MB", "2.0 GB"]
