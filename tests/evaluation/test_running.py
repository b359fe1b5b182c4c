"""A whole evaluation on miniature data: report, skips, resumption, and the real engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from engine.tiny_model import build
from evaluation.conftest import ByPixels
from skymoe.engine import SkyMoe
from skymoe.evaluation import report
from skymoe.evaluation.benchmarks import FAMILIES, get_benchmark, select
from skymoe.evaluation.predictions import MadeOtherwise, read_predictions
from skymoe.evaluation.running import Settings, evaluate
from skymoe.evaluation.scoring import score_records

pytest.importorskip("pycocoevalcap", reason="caption metrics need pycocoevalcap")
pytestmark = pytest.mark.usefixtures("without_java")

MODEL = {"name": "m", "weights": "0"}
ALL = select(["nano"])


def test_the_report_says_it_all(miniatures: Path, tmp_path: Path) -> None:
    found = evaluate(ByPixels(), MODEL, ALL, tmp_path, root=miniatures)
    assert set(found["results"]) == set(FAMILIES["nano"]), found["skipped"]
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == found
    for name, result in found["results"].items():
        folder = tmp_path / name
        lines = read_predictions(folder / "predictions.jsonl")
        assert len(lines) == result["n"] == len((folder / "ids.txt").read_text().splitlines())
        # Scoring can be repeated from the lines alone.
        assert score_records(result["task"], lines).metrics == result["metrics"]
        assert set(result["blind"]["metrics"]) == set(result["constant"]["metrics"]) == set(result["metrics"])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| RSICD | 1 of 1,093 | BLEU-4 |" in text
    assert "METEOR needs a Java runtime" in text
    assert "| accuracy, presence |" not in text  # the miniature test split asks none


def test_what_lacks_its_data_is_skipped_with_the_reason(miniatures: Path, tmp_path: Path) -> None:
    shutil.copytree(miniatures / "UCM-Captions", tmp_path / "data" / "UCM-Captions")
    found = evaluate(ByPixels(), MODEL, ALL, tmp_path / "out", root=tmp_path / "data")
    assert set(found["results"]) == {"ucm-captions", "ucm-scenes"}
    assert "Airbus-OilStorage/annotations.csv" in found["skipped"]["airbus-count"]
    assert "Skipped: airbus-count" in report.markdown(found)


def test_what_a_model_was_not_made_for_is_skipped_and_leaves_nothing(
    miniatures: Path, tmp_path: Path
) -> None:
    engine = ByPixels()
    engine.tasks = frozenset({"caption"})  # as an engine of ours says
    found = evaluate(engine, MODEL, ALL, tmp_path, root=miniatures)
    assert {get_benchmark(name).task for name in found["results"]} == {"caption"}
    assert "m was not made for count, only for caption" in found["skipped"]["airbus-count"]
    assert not (tmp_path / "airbus-count").exists()


def test_a_killed_evaluation_continues_to_the_same_report(miniatures: Path, tmp_path: Path) -> None:
    settings = Settings(batch_size=2)
    whole = evaluate(ByPixels(), MODEL, ALL, tmp_path / "whole", settings, root=miniatures)
    for fail_at in (0, 3, 7, 11):
        with pytest.raises(KeyboardInterrupt):
            evaluate(ByPixels(fail_at), MODEL, ALL, tmp_path / "killed", settings, root=miniatures)
    assert evaluate(ByPixels(), MODEL, ALL, tmp_path / "killed", settings, root=miniatures) == whole
    for path in (tmp_path / "whole").rglob("*.*"):
        assert (
            path.read_bytes() == (tmp_path / "killed" / path.relative_to(tmp_path / "whole")).read_bytes()
        ), path


def test_a_missing_package_is_said_before_the_model_runs(
    miniatures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skymoe.evaluation.metrics.caption.find_spec", lambda name: None)
    engine = ByPixels()
    found = evaluate(engine, MODEL, [get_benchmark("rsicd")], tmp_path, root=miniatures)
    assert found["skipped"] == {"rsicd": "caption metrics need pycocoevalcap: pip install 'skymoe[eval]'"}
    assert engine.calls == []


def test_fresh_asks_again(miniatures: Path, tmp_path: Path) -> None:
    benchmark = [get_benchmark("ucm-scenes")]
    evaluate(ByPixels(), MODEL, benchmark, tmp_path, root=miniatures)
    engine = ByPixels()
    with pytest.raises(MadeOtherwise, match="batch_size 32, not 5: give --fresh"):
        evaluate(engine, MODEL, benchmark, tmp_path, Settings(batch_size=5), root=miniatures)
    evaluate(engine, MODEL, benchmark, tmp_path, Settings(batch_size=5), root=miniatures, fresh=True)
    assert engine.calls


def test_pictures_that_changed_are_not_mixed_with_their_old_answers(miniatures: Path, tmp_path: Path) -> None:
    data, out, chosen = tmp_path / "data", tmp_path / "out", [get_benchmark("ucm-scenes")]
    shutil.copytree(miniatures / "UCM-Captions", data / "UCM-Captions")
    with pytest.raises(KeyboardInterrupt):
        evaluate(ByPixels(1), MODEL, chosen, out, Settings(batch_size=1), root=data)
    picture = Path(chosen[0].items("test", root=data)[0].sample.image)
    before, report = picture.read_bytes(), (out / "ucm-scenes" / "predictions.jsonl").read_bytes()
    with Image.open(picture) as opened:
        ImageOps.flip(opened).save(picture)  # the same name and size, another content
    with pytest.raises(MadeOtherwise, match=r"made with other pictures .*: give --fresh") as caught:
        evaluate(ByPixels(), MODEL, chosen, out, Settings(batch_size=1), root=data)
    assert "\n" not in str(caught.value)
    assert (out / "ucm-scenes" / "predictions.jsonl").read_bytes() == report
    picture.write_bytes(before)  # a copy, with another time
    assert evaluate(ByPixels(), MODEL, chosen, out, Settings(batch_size=1), root=data)["results"]


def test_a_run_from_before_pictures_were_compared_goes_on(
    miniatures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = [get_benchmark("ucm-scenes")]
    whole = evaluate(ByPixels(), MODEL, chosen, tmp_path, root=miniatures)
    note = tmp_path / "ucm-scenes" / "predictions.settings.json"
    settings = json.loads(note.read_text())
    note.write_text(json.dumps({key: value for key, value in settings.items() if key != "pictures"}))
    engine = ByPixels()
    evaluate(engine, MODEL, chosen, tmp_path, Settings(baselines=False), root=miniatures)
    assert "begun before pictures were compared" in caplog.text
    assert engine.calls == [], "nothing is asked again"
    assert json.loads(note.read_text()) == settings
    caplog.clear()
    assert evaluate(ByPixels(), MODEL, chosen, tmp_path, root=miniatures) == whole
    assert not caplog.text


def test_a_folder_is_of_one_model(miniatures: Path, tmp_path: Path) -> None:
    first, second = [get_benchmark("ucm-scenes")], [get_benchmark("ucm-captions")]
    evaluate(ByPixels(), MODEL, first, tmp_path, root=miniatures)
    before = (tmp_path / "report.json").read_bytes()
    other = {"name": "m", "weights": "1"}
    said = "holds answers of m 0 to ucm-scenes, the model is now m 1"
    with pytest.raises(MadeOtherwise, match=f"{said}: give --fresh to start over, or another --out"):
        evaluate(ByPixels(), other, second, tmp_path, root=miniatures)
    with pytest.raises(MadeOtherwise, match=f"{said}: delete .*ucm-scenes, or another --out"):
        evaluate(ByPixels(), other, second, tmp_path, root=miniatures, fresh=True)
    assert (tmp_path / "report.json").read_bytes() == before
    assert evaluate(ByPixels(), other, first, tmp_path, root=miniatures, fresh=True)["results"]


def test_only_captions_get_beams(miniatures: Path, tmp_path: Path) -> None:
    chosen = [get_benchmark("ucm-captions"), get_benchmark("ucm-scenes")]
    evaluate(ByPixels(), MODEL, chosen, tmp_path, Settings(num_beams=5, baselines=False), root=miniatures)
    beams = {
        name: json.loads((tmp_path / name / "predictions.settings.json").read_text())["num_beams"]
        for name in ("ucm-captions", "ucm-scenes")
    }
    assert beams == {"ucm-captions": 5, "ucm-scenes": 1}


def test_the_folder_name_tells_runs_apart() -> None:
    assert Settings().folder == Settings(batch_size=8).folder == ""
    assert (
        Settings("val", 50, num_beams=1, constrained=False, seed=2).folder == "val-limit50-beams1-free-seed2"
    )


def test_a_tiny_model_through_the_real_engine(miniatures: Path, tmp_path: Path) -> None:
    engine = SkyMoe(*build())
    found = evaluate(engine, MODEL, ALL, tmp_path, Settings(batch_size=16, num_beams=2), root=miniatures)
    assert set(found["results"]) == set(FAMILIES["nano"]), found["skipped"]
    # Typed answers always parse.
    for name in ("airbus-count", "airbus-ground", "aid-rsicd-test", "ucm-scenes"):
        assert found["results"][name]["unparsable"] == 0, name
    # Continued from a torn file, the engine says the same again.
    path = tmp_path / "airbus-ground" / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = evaluate(engine, MODEL, ALL, tmp_path, Settings(batch_size=16, num_beams=2), root=miniatures)
    assert path.read_bytes() == whole
    assert again == found
