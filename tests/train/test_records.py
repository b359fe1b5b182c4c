"""A run goes on with what it was begun with, or says what is another: key, old, new and remedy, in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_base import recipe, write_samples
from transformers import TrainerCallback
from typer.testing import CliRunner

from skymoe.cli import app
from skymoe.errors import UserError
from skymoe.train import trainer
from skymoe.train.recipe import Recipe
from skymoe.train.records import RECORD, difference
from skymoe.train.stages import Training

STAGE1 = {"kind": "dense", "name": "stage1", "steps": 1, "train": ["multi_modal_projector"]}
STAGE2 = {"kind": "experts", "name": "stage2", "steps": 3, "experts": 4, "implementation": "eager"}


def made(output: Path, tiny: Path, *stages: dict[str, Any], **changes: Any) -> Recipe:
    return recipe(output, tiny / "llava", tiny / "samples", *(stages or (STAGE1, STAGE2)), **changes)


def refused(given: Recipe, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Training(given).run()
    assert "\n" not in str(caught.value)
    assert "choose another output" in str(caught.value)


@contextmanager
def power_cut(after: int) -> Iterator[None]:
    """The process ends after a step of the second stage."""

    class PowerCut(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.max_steps == STAGE2["steps"] and state.global_step == after:
                raise KeyboardInterrupt

    class Interrupted(trainer.PictureTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.add_callback(PowerCut())

    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(trainer, "PictureTrainer", Interrupted)
        yield
        raise AssertionError("it went on")


@pytest.fixture(scope="module")
def begun(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage I finished, stage II stopped after its checkpoint."""
    output = tmp_path_factory.mktemp("begun") / "run"
    with power_cut(2):
        Training(made(output, tiny)).run()
    return output


@pytest.fixture(scope="module")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished") / "run"
    Training(made(output, tiny)).run()
    return output


@pytest.fixture
def copies(begun: Path, finished: Path, tmp_path: Path) -> dict[str, Path]:
    """Both, in other folders: a run may be moved."""
    return {
        name: Path(shutil.copytree(folder, tmp_path / name))
        for name, folder in (("begun", begun), ("finished", finished))
    }


SETTINGS = [
    ([STAGE1, {**STAGE2, "experts": 8}], {}, r"stage2 was made with stages\.1\.experts 4, not 8"),
    ([STAGE1, {**STAGE2, "learning_rate": 0.5}], {}, r"stages\.1\.learning_rate 0\.001, not 0\.5: .*delete \S+stage2$"),
    ([STAGE1, {**STAGE2, "steps": 4}], {}, r"stages\.1\.steps 3, not 4"),
    (
        [STAGE1, {**STAGE2, "kind": "dense", "experts": None, "implementation": None}], {},
        r"stages\.1\.kind 'experts', not 'dense'",
    ),
    (
        [{**STAGE1, "steps": 2}, STAGE2], {},
        r"stage1 was made with stages\.0\.steps 1, not 2: .* delete \S+stage1, \S+stage2$",
    ),
    ([STAGE2], {}, r"stage2 was made with stages \['stage1', 'stage2'\], not \['stage2'\]"),
    ([], {"seed": 6}, r"(begun|finished) was made with seed 5, not 6: .* or delete \S+(begun|finished)$"),
    ([], {"data": {"sources": [{"name": "samples", "weight": 2}]}}, r"data\.sources\.0\.weight 1\.0, not 2\.0"),
    ([], {"base": {"template": "own"}}, r"base\.template 'vicuna', not 'own'"),
]  # fmt: skip


@pytest.mark.parametrize(("stages", "changes", "message"), SETTINGS)
def test_another_recipe_is_refused(
    tiny: Path, copies: dict[str, Path], stages: list[dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    for output in copies.values():
        raw = made(output, tiny, *({k: v for k, v in one.items() if v is not None} for one in stages))
        dumped = raw.model_dump(by_alias=True, exclude_unset=True)
        for key, change in changes.items():
            old = dumped[key]
            if key == "data":
                change = {"sources": [{**old["sources"][0], **change["sources"][0]}]}
            dumped[key] = {**old, **change} if isinstance(old, dict) else change
        refused(Recipe.model_validate(dumped), message)


def test_what_changes_nothing_that_is_learnt_may_change(tiny: Path, copies: dict[str, Path]) -> None:
    free = {"micro_batch": 2, "save_every": 1, "log_every": 7, "gradient_checkpointing": True}
    stages = [{**one, **free} for one in (STAGE1, STAGE2)]
    given = made(copies["begun"], tiny, *stages, name="another", workers=1)
    model = Training(given).run()
    assert len(list(model.glob("*.safetensors"))) == 1
    written = (copies["finished"] / "stage2" / "model" / "model.safetensors").stat().st_mtime_ns
    assert Training(given.model_copy(update={"output": copies["finished"]})).run().is_dir()
    assert (copies["finished"] / "stage2" / "model" / "model.safetensors").stat().st_mtime_ns == written


def test_new_stages_may_follow_finished_ones(tiny: Path, copies: dict[str, Path]) -> None:
    more = {**STAGE2, "name": "stage3", "steps": 1}
    del more["experts"]
    Training(made(copies["finished"], tiny, STAGE1, STAGE2, more)).run()
    kept = json.loads((copies["finished"] / "stage3" / RECORD).read_text())
    assert [stage["name"] for stage in kept["recipe"]["stages"]] == ["stage1", "stage2", "stage3"]
    assert set(kept["from"]) == {"base.model", "data.sources.0", "stage2/model"}


def test_data_that_changed_are_noticed_and_moved_ones_are_not(
    tiny: Path, copies: dict[str, Path], tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(tiny / "samples", tmp_path / "samples"))
    base = Path(shutil.copytree(tiny / "llava", tmp_path / "base"))
    os.utime(base / "model.safetensors", ns=(1, 1))
    given = recipe(copies["finished"], base, moved, STAGE1, STAGE2)
    Training(given).run()
    shutil.rmtree(moved)
    write_samples(moved, 9)
    refused(given, r"with data\.sources\.0\.root '\S+', not '\S+'")
    # In the place where they were: what a picture is said to show.
    given = recipe(tmp_path / "run", base, moved, STAGE1)
    Training(given).run()
    lines = (moved / "samples.jsonl").read_text()
    (moved / "samples.jsonl").write_text(lines.replace("two tanks", "six tanks", 1))
    refused(given, r"from another data\.sources\.0 \(9 items, content \w+, now 9 items, content \w+\)")


def test_a_corpus_is_its_items(tiny: Path, tmp_path: Path) -> None:
    corpus = Path(shutil.copytree(tiny / "corpus", tmp_path / "corpus"))
    data = {"corpus": corpus}
    Training(made(tmp_path / "run", tiny, STAGE1, data=data)).run()
    shard = corpus / json.loads((corpus / "manifest.json").read_text())["shards"][0]["file"]
    shard.write_text(shard.read_text().replace("tanks", "ships"))
    refused(made(tmp_path / "run", tiny, STAGE1, data=data), r"from another data\.corpus")


def test_a_base_that_changed_is_noticed(tiny: Path, copies: dict[str, Path], tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny / "llava", tmp_path / "llava"))
    given = recipe(copies["begun"], base, tiny / "samples", STAGE1, STAGE2)
    tensors = load_file(base / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    refused(given, r"with base\.model '\S+', not '\S+'")


def test_a_model_before_that_changed_is_noticed(tiny: Path, copies: dict[str, Path]) -> None:
    weights = copies["finished"] / "stage1" / "model" / "model.safetensors"
    tensors = load_file(weights)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, weights, metadata={"format": "pt"})
    refused(made(copies["finished"], tiny), r"stage2 was made from another stage1/model \(\w+, now \w+\)")


def test_a_folder_without_records_is_taken_for_this_recipe_s_and_told_so_once(
    tiny: Path, copies: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    output = copies["begun"]
    for record in output.rglob(RECORD):
        record.unlink()
    (output / "base.json").write_text(made(output, tiny).base.model_dump_json(exclude={"decoder"}))
    other = made(output, tiny).model_dump(by_alias=True)
    other["base"]["image_size"] = 56
    refused(Recipe.model_validate(other), r"base\.image_size 42, not 56")
    Training(made(output, tiny)).run()
    assert caplog.text.count("stage1, stage2 has no record of its recipe") == 1
    refused(made(output, tiny, STAGE1, {**STAGE2, "balance": 0.5}), r"stages\.1\.balance 0\.01, not 0\.5")
    assert caplog.text.count("no record") == 1


def test_what_has_made_nothing_yet_binds_nobody(tiny: Path, tmp_path: Path) -> None:
    """Stopped before the first checkpoint, a mistake is mended and the command given again."""
    with power_cut(1):
        Training(made(tmp_path, tiny, {**STAGE1, "steps": 3})).run()
    Training(made(tmp_path, tiny, {**STAGE1, "learning_rate": 1e-4})).run()
    kept = json.loads((tmp_path / "stage1" / RECORD).read_text())
    assert kept["recipe"]["stages"][0]["learning_rate"] == 1e-4


def test_the_command_line_says_it_in_one_line(tiny: Path, finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(made(finished, tiny).model_dump_json(by_alias=True))
    listed = CliRunner().invoke(app, ["train", str(path), "--list"])
    assert [line.split()[0] for line in listed.output.splitlines()] == ["done", "done"]
    for more in ([], ["--list"]):
        done = CliRunner().invoke(app, ["train", str(path), "--set", "stages.1.experts=8", *more])
        assert isinstance(done.exception, UserError), "which the entry point turns into exit code 2"
        assert "stages.1.experts 4, not 8" in str(done.exception)


def test_a_setting_that_was_unknown_then_counts_when_it_is_said() -> None:
    was, now = {"steps": 1}, {"steps": 1, "new": 0}
    assert difference("stages.0", was, now, {"steps": 1}) is None
    assert difference("stages.0", was, {**now, "new": 2}, {"new": 2}) == "stages.0.new None, not 2"


def test_another_picture_of_the_same_size_is_noticed(tiny: Path, tmp_path: Path) -> None:
    samples = Path(shutil.copytree(tiny / "samples", tmp_path / "samples"))
    given = recipe(tmp_path / "run", tiny / "llava", samples, STAGE1)
    Training(given).run()
    picture = samples / "pictures" / "0.png"
    before = picture.read_bytes()
    Image.new("RGB", (96, 96), (255, 0, 0)).save(picture)
    picture.write_bytes(picture.read_bytes().ljust(len(before), b"\0"))
    refused(given, r"from another data\.sources\.0 \(8 items, content \w+, now 8 items, content \w+\)")
    picture.write_bytes(before)
    Training(given).run()
