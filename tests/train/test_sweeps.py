"""A sweep of 2 × 2 cells and two repeats on tiny models: killed, gone on with, skipped; and its table."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean, stdev

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_base import recipe

from skymoe.errors import UserError
from skymoe.evaluation.predictions import read_predictions
from skymoe.evaluation.scoring import score_records
from skymoe.outputs import alone_in
from skymoe.train.sweeps.running import Running
from skymoe.train.sweeps.settings import load_sweep

DATA = Path(__file__).parents[1] / "fixtures" / "data"
JUDGE = [
    {"title": "SC", "benchmark": "ucm-scenes", "limit": 3, "blind": "first"},
    {"title": "OC", "benchmark": "airbus-count", "metric": "mae", "limit": 4, "blind": "never"},
]


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(DATA))


@pytest.fixture(scope="module")
def file(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    stages = (
        {"kind": "dense", "name": "stage1", "steps": 1, "train": ["multi_modal_projector"]},
        {"kind": "experts", "name": "stage2", "steps": 2, "experts": 2, "implementation": "eager"},
    )
    base = recipe(folder / "unused", tiny / "llava", tiny / "samples", *stages)
    written = base.model_dump(mode="json", exclude_unset=True)
    (folder / "base.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    sweep = {
        "name": "small", "recipe": "base.yaml", "output": str(folder / "out"), "shared": {"stages": ["stage1"]},
        "axes": [
            {"name": "experts", "setting": "stages.stage2.experts", "values": [1, 2]},
            {"name": "cutout", "title": "CVC", "setting": "stages.stage2.edits.cutout", "values": {False: 0, True: 1}},
        ],
        "seeds": [1, 2], "judge": JUDGE,
    }  # fmt: skip
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def killed(file: Path) -> list[str]:
    """The states of the runs after the command was killed when its table had a first line."""
    environment = {**os.environ, "SKYMOE_DATA": str(DATA), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "skymoe", "train", str(file)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    table = file.parent / "out" / "table.md"
    while process.poll() is None and not table.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert table.exists(), errors.decode()
    running = Running(load_sweep(file))
    return [running.state(run).word for run in running.runs]


@pytest.fixture(scope="module")
def finished(file: Path, killed: list[str]) -> tuple[Running, list[str], dict[Path, int]]:
    """The sweep gone on with: what it said, and when the models of runs that were done before were written."""
    said: list[str] = []
    running = Running(load_sweep(file), said.append)
    before = {
        path: path.stat().st_mtime_ns for path in file.parent.glob("out/cells/*/*/stage2/model/*.safetensors")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYMOE_DATA", str(DATA))
        running.run()
    return running, said, before


def test_a_killed_sweep_goes_on_and_skips_what_is_done(
    killed: list[str], finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    running, said, before = finished
    assert killed[0] == "done"
    assert "to do" in killed
    assert said[0] == f"{killed.count('done')} of 8 runs are done"
    assert [running.state(run).word for run in running.runs] == ["done"] * 8
    assert before, "a run was done"
    assert all(path.stat().st_mtime_ns == written for path, written in before.items()), "and not made again"
    assert sum(": training" in line for line in said) == 8 - sum(
        word in ("done", "trained") for word in killed
    )
    assert said[-1].startswith("[8/8] done in")


def test_a_finished_sweep_trains_nothing(finished: tuple[Running, list[str], dict[Path, int]]) -> None:
    running, said, _ = finished
    said.clear()
    running.run()
    assert said == ["8 of 8 runs are done"]


def test_the_table_has_the_scores_of_the_predictions(
    file: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    found = json.loads((file.parent / "out" / "table.json").read_text())
    rows = list(csv.DictReader((file.parent / "out" / "table.csv").open()))
    assert [tuple(cell["cell"].values()) for cell in found["cells"]] == [
        ("1", "off"), ("1", "on"), ("2", "off"), ("2", "on"),
    ]  # fmt: skip
    for cell, row in zip(found["cells"], rows, strict=True):
        for column in found["columns"]:
            values = []
            for run in cell["runs"]:
                judged = Path(run["folder"]) / "judged" / column["name"] / column["benchmark"]
                task = {"SC": "classify", "OC": "count"}[column["title"]]
                score = score_records(task, read_predictions(judged / "predictions.jsonl"))
                values.append(score.metrics[column["metric"]]["value"])
                assert run["results"][column["name"]]["metrics"] == score.metrics
            entry = cell["values"][column["title"]]
            assert list(entry["values"].values()) == values
            assert entry["mean"] == pytest.approx(fmean(values)) == pytest.approx(float(row[column["title"]]))
            assert entry["deviation"] == pytest.approx(stdev(values))
            assert list(entry["blind"]) == (["1"] if column["title"] == "SC" else [])
            assert (entry["constant"] is not None) == (column["title"] == "SC")
    assert found["noise"]["SC"]["freedom"] == 4


def test_the_markdown_is_the_paper_s_table(
    file: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    lines = (file.parent / "out" / "table.md").read_text().splitlines()
    assert lines[2] == "| experts | CVC | repeats | SC (accuracy, %) | OC (mae, lower is better) |"
    assert [line.split(" | ")[:3] for line in lines[4:8]] == [
        ["| 1", "off", "2"], ["| 1", "on", "2"], ["| 2", "off", "2"], ["| 2", "on", "2"],
    ]  # fmt: skip
    assert all(line.count(" ± ") == 2 for line in lines[4:8])
    assert "## Blind" in lines
    assert any(line.startswith("| constant |") for line in lines)
    assert not any("Not finished" in line for line in lines)


def test_all_cells_start_from_the_one_stage_1(
    file: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    out = file.parent / "out"
    shared = out / "shared" / "stage1" / "model"
    start = load_file(shared / "model.safetensors")
    for run in finished[0].runs:
        assert (run.folder / "stage1" / "model").resolve() == shared.resolve()
        config = json.loads((run.folder / "stage2" / "model" / "config.json").read_text())
        experts = dict(run.cell.labels)["experts"]
        assert config["num_experts"] == (0 if experts == "1" else 2)
        if experts == "1":
            after = load_file(run.folder / "stage2" / "model" / "model.safetensors")
            learnt = {key for key, value in after.items() if not torch.equal(value, start[key])}
            blocks = {key.partition(".mlp.")[0].rpartition(".")[2] for key in learnt}
            assert all(".mlp." in key for key in learnt)
            assert blocks == {"0", "2"}, "the blocks that become experts in the other cells"


def test_a_folder_is_of_one_recipe(file: Path, finished: tuple[Running, list[str], dict[Path, int]]) -> None:
    changed = load_sweep(file, ["set.stages.stage2.learning_rate=0.5"])
    with pytest.raises(
        UserError, match=r"was made with stages\.1\.learning_rate 0\.001, not 0\.5: put it back, .* or delete"
    ) as caught:
        Running(changed).run()
    assert "\n" not in str(caught.value)


def test_what_is_trained_once_for_all_is_of_one_recipe(
    file: Path, tmp_path: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    shared = file.parent / "out" / "shared"
    changed = ["set.stages.stage1.learning_rate=0.5", f"output={tmp_path}", f"shared.output={shared}"]
    with pytest.raises(UserError, match=r"stage1 was made with stages\.0\.learning_rate 0\.001, not 0\.5"):
        Running(load_sweep(file, changed)).run()


def test_settings_that_change_nothing_may_change(
    file: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    said: list[str] = []
    free = ["set.stages.stage2.micro_batch=2", "set.stages.stage1.log_every=9", "set.workers=1"]
    Running(load_sweep(file, free), said.append).run()
    assert said == ["8 of 8 runs are done"]


def test_no_cell_goes_on_beside_cells_of_other_data(
    file: Path, tmp_path: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    recipe = yaml.safe_load((file.parent / "base.yaml").read_text())
    root = Path(shutil.copytree(recipe["data"]["sources"][0]["root"], tmp_path / "samples"))
    lines = (root / "samples.jsonl").read_text()
    (root / "samples.jsonl").write_text(lines.replace("two tanks", "six tanks", 1))
    out = Path(shutil.copytree(file.parent / "out", tmp_path / "out", symlinks=True))
    changed = load_sweep(file, ["seeds=[1, 2, 3]", f"output={out}"])
    recipe["data"]["sources"][0]["root"] = str(root)
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(recipe))
    changed = changed.model_copy(update={"recipe": tmp_path / "base.yaml"})
    with pytest.raises(UserError, match=r"was made with data\.sources\.0\.root") as caught:
        Running(changed).run()
    assert "\n" not in str(caught.value)


def test_another_start_is_not_tabled_with_the_old_one(
    file: Path, tmp_path: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    shared = tmp_path / "shared"
    shutil.copytree(file.parent / "out" / "shared", shared)
    config = shared / "stage1" / "model" / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(UserError, match="started from another model"):
        Running(load_sweep(file, [f"shared.output={shared}"])).run()


def test_a_start_with_experts_has_no_number_to_vary(
    file: Path, tmp_path: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    made = finished[0].runs[-1].folder / "stage2" / "model"
    (tmp_path / "stage1").mkdir()
    (tmp_path / "stage1" / "model").symlink_to(made)
    sweep = load_sweep(file, [f"shared.output={tmp_path}", f"output={tmp_path / 'out'}"])
    with pytest.raises(UserError, match="has 2 experts already"):
        Running(sweep).run()


def test_models_may_be_deleted_once_they_are_judged(
    file: Path, tmp_path: Path, finished: tuple[Running, list[str], dict[Path, int]]
) -> None:
    more = ["keep_models=false", "seeds=[3]", "rows=[{cells: {experts: 2, cutout: on}}]"]
    shared = file.parent / "out" / "shared"
    running = Running(load_sweep(file, [*more, f"output={tmp_path}", f"shared.output={shared}"]))
    running.run()
    (run,) = running.runs
    assert not (run.folder / "stage2" / "model").exists()
    assert running.state(run).word == "done"
    assert (shared / "stage1" / "model").is_dir()


def test_data_that_are_not_there_are_missed_before_anything_is_trained(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="the data of ucm-scenes are not there"):
        Running(load_sweep(file, [f"output={tmp_path / 'out'}"])).run()
    assert not (tmp_path / "out").exists()


def test_one_process_at_a_time_runs_a_sweep(file: Path, tmp_path: Path) -> None:
    running = Running(load_sweep(file, [f"output={tmp_path}"]))
    with alone_in(tmp_path), pytest.raises(UserError, match="is being written by another run: wait"):
        running.run()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"recipe": []}', '{"recipe": {}}'])
def test_what_is_no_record_of_a_run_is_one_line(
    file: Path, finished: tuple[Running, list[str], dict[Path, int]], content: str
) -> None:
    record = finished[0].runs[0].folder / "run.json"
    kept = record.read_text()
    record.write_text(content)
    with pytest.raises(
        UserError, match=r"run\.json can't be read .*: choose another output, or delete"
    ) as caught:
        Running(load_sweep(file)).run()
    assert "\n" not in str(caught.value)
    record.write_text(kept)
