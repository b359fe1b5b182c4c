"""What an evaluation goes on from: its own folder alone, whole lines, the same model, questions and precision."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.tiny_model import build
from evaluation.conftest import ByPixels
from skymoe.engine import SkyMoe
from skymoe.errors import UserError
from skymoe.evaluation.audits.running import audit
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.predictions import MadeOtherwise, read_predictions
from skymoe.evaluation.report.rebuilding import rebuild
from skymoe.evaluation.running import Settings, evaluate
from skymoe.outputs import Unwritable

MODEL = {"name": "m", "weights": "0"}
NAME = "ucm-scenes"
CHOSEN = [get_benchmark(NAME)]
PLAIN = Settings(baselines=False)
DEEP = "[" * 100_000

HOLDER = """
import sys, time
from pathlib import Path
from skymoe.outputs import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("judge", [evaluate, audit])
def test_a_second_process_in_the_folder_is_refused(miniatures: Path, tmp_path: Path, judge: object) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            holder.stdout.readline()
            engine = ByPixels()
            with pytest.raises(
                Unwritable, match=r"being written by another run: wait .* or give another --out"
            ):
                judge(engine, MODEL, CHOSEN, tmp_path, root=miniatures)  # type: ignore[operator]
            assert engine.calls == []
        finally:
            holder.kill()


def test_answers_that_stand_twice_are_refused(miniatures: Path, tmp_path: Path) -> None:
    evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    path = tmp_path / NAME / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole)
    with pytest.raises(UserError, match="is answered twice: evaluate again with --fresh") as caught:
        read_predictions(path)
    assert "\n" not in str(caught.value)
    said: list[str] = []
    rebuild(tmp_path, tmp_path / "page", root=miniatures, said=said.append)
    assert "is answered twice" in said[0]
    evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    assert path.read_bytes() == whole, "going on takes them away"


@pytest.mark.parametrize("line", ["5", "null", "[]", DEEP, '{"id": "x"}', '{"id": 1, "prediction": "a"}', ""])
def test_a_line_that_is_no_answer_is_asked_again(miniatures: Path, tmp_path: Path, line: str) -> None:
    settings = Settings(batch_size=1, baselines=False)
    evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, settings, root=miniatures)
    path = tmp_path / NAME / "predictions.jsonl"
    whole = path.read_bytes()
    first, *rest = whole.splitlines(keepends=True)
    if line.startswith('{"id": "x"'):
        record = json.loads(first)
        del record["prediction"]
        line = json.dumps(record)
    path.write_bytes(line.encode() + b"\n" + b"".join(rest))
    with pytest.raises(UserError, match="line 1 holds no answer"):
        read_predictions(path)
    evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, settings, root=miniatures)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "[]", "5", "null", DEEP, '{"model":'])
def test_settings_that_say_nothing_are_one_line(miniatures: Path, tmp_path: Path, content: str) -> None:
    whole = evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    note = tmp_path / NAME / "predictions.settings.json"
    note.write_text(content)
    with pytest.raises(MadeOtherwise, match="delete it to start over, or give another --out") as caught:
        evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    assert "\n" not in str(caught.value)
    assert str(note) in str(caught.value)
    note.unlink()
    assert evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures) == whole


def test_the_precision_of_our_models_decides(
    miniatures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, processor = build()
    whole = evaluate(SkyMoe(model, processor), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    note = tmp_path / NAME / "predictions.settings.json"
    kept = json.loads(note.read_text())
    assert kept["dtype"] == "float32"
    with pytest.raises(MadeOtherwise, match="made with dtype 'float32', not 'bfloat16': give --fresh"):
        evaluate(SkyMoe(model.to(torch.bfloat16), processor), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    # From an earlier version, which kept neither.
    note.write_text(json.dumps({key: kept[key] for key in kept if key not in ("dtype", "questions")}))
    again = SkyMoe(model.to(torch.float32), processor)
    assert evaluate(again, MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures) == whole
    assert "begun before precisions were compared" in caplog.text
    assert json.loads(note.read_text()) == kept


def test_a_copy_of_the_model_under_another_name_goes_on(miniatures: Path, tmp_path: Path) -> None:
    evaluate(ByPixels(), MODEL, CHOSEN, tmp_path, PLAIN, root=miniatures)
    engine = ByPixels()
    found = evaluate(engine, {**MODEL, "name": "copy"}, CHOSEN, tmp_path, PLAIN, root=miniatures)
    assert found["model"]["name"] == "copy"
    assert engine.calls == []
    with pytest.raises(MadeOtherwise, match="the model is now m 1"):
        evaluate(ByPixels(), {**MODEL, "weights": "1"}, CHOSEN, tmp_path, PLAIN, root=miniatures)


def test_what_cannot_be_written_is_one_line(miniatures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "report" / "report.json").mkdir(parents=True)
    (tmp_path / "part" / "report.json.part").mkdir(parents=True)
    (tmp_path / "lines" / NAME / "predictions.jsonl").mkdir(parents=True)
    (tmp_path / "note" / NAME / "predictions.settings.json").mkdir(parents=True)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / NAME).touch()
    for name in ("file", "file/below", "n" * 300, "report", "part", "lines", "note", "bench"):
        for judge in (evaluate, audit) if name.startswith(("file", "bench")) else (evaluate,):
            with pytest.raises(
                Unwritable, match=r"cannot be written \([A-Z][\w ]+\): give another --out"
            ) as caught:
                judge(ByPixels(), MODEL, CHOSEN, tmp_path / name, root=miniatures)
            assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "report" / "report.json")
    assert evaluate(ByPixels(), MODEL, CHOSEN, tmp_path / "report", root=miniatures)["results"]
