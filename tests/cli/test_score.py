"""`skymoe score`: the JSON that others read, details line by line, mistakes in one line with code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Outcome, Run

SIZE = {"width": 100, "height": 200}
SCENES = {"labels": ["railway station", "park"]}
FILES: dict[str, list[dict[str, Any]]] = {
    "count": [
        {"id": "a", "prediction": "There are 12 planes.", "reference": 12},
        {"id": "b", "prediction": "many", "reference": 3},
        {"id": 7, "prediction": "3 or 4", "reference": 3},
        {"id": "d", "prediction": "eleven", "reference": 10},
    ],
    "vqa": [
        {"id": "a", "prediction": "Yes.", "reference": "yes", "question_type": "presence"},
        {"id": "b", "prediction": "", "reference": "no", "question_type": "presence"},
        {"id": "c", "prediction": "two", "reference": "2", "question_type": "count"},
    ],
    "ground": [
        {"id": "a", "prediction": "{<0><0><50><50>}", "reference": [0, 0, 50, 100], **SIZE},
        {"id": "b", "prediction": "in the corner", "reference": [0, 0, 50, 100], **SIZE},
    ],
    "classify": [
        {"id": "a", "prediction": "A railway station", "reference": "railway station", **SCENES},
        {"id": "b", "prediction": "park or railway station", "reference": "park", **SCENES},
    ],
    "caption": [
        {"id": "a", "prediction": "a plane on the runway .", "references": ["a plane is on the runway .", "a plane ."]},
        {"id": "b", "prediction": "many trees .", "references": ["many green trees ."]},
    ],
}  # fmt: skip
NAMES = {
    "count": {"accuracy", "mae", "rmse", "within10"},
    "vqa": {"oa", "aa"},
    "ground": {"acc@0.5", "acc@0.7", "miou"},
    "classify": {"accuracy", "mean_class_recall"},
    "caption": {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"},
}


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR takes ten seconds to start; it has tests of its own."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def score(run: Run, tmp_path: Path) -> Any:
    def score(task: str, *options: object, rows: list[Any] | None = None) -> Outcome:
        path = tmp_path / "p.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows or FILES[task]), encoding="utf-8")
        return run("score", task, path, *options, tiny=False)

    return score


@pytest.mark.parametrize("protocol", ["standard", "paper"])
@pytest.mark.parametrize("task", FILES)
def test_the_json_has_the_same_keys_for_every_task(score: Any, task: str, protocol: str) -> None:
    if task == "caption":
        pytest.importorskip("pycocoevalcap")
    outcome = score(task, "--json", "--protocol", protocol)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert list(found) == ["task", "protocol", "n", "unparsable", "metrics", "by", "implementation"]
    assert (found["task"], found["protocol"], found["n"]) == (task, protocol, len(FILES[task]))
    assert 0 <= found["unparsable"] <= 1
    # NLTK, which the paper protocol's ROUGE-L needs, is optional.
    assert set(found["metrics"]) >= NAMES[task] - ({"rouge_l", "cider"} if protocol == "paper" else set())
    for metrics in (found["metrics"], *found["by"].values()):
        for estimate in metrics.values():
            assert list(estimate) == ["value", "low", "high"]
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert "skymoe" in found["implementation"]
    assert ("rules" in found["implementation"]) == (protocol == "paper")


def test_values_are_fractions_and_unreadable_answers_are_wrong(score: Any) -> None:
    found = json.loads(score("count", "--json").out)
    assert found["unparsable"] == 0.5
    values = {name: estimate["value"] for name, estimate in found["metrics"].items()}
    assert values == pytest.approx({"accuracy": 0.25, "mae": 7 / 4, "rmse": (19 / 4) ** 0.5, "within10": 0.5})
    found = json.loads(score("vqa", "--json").out)
    assert found["metrics"]["oa"]["value"] == pytest.approx(2 / 3)
    assert found["metrics"]["aa"]["value"] == pytest.approx(3 / 4)
    assert found["by"]["presence"]["accuracy"]["value"] == 0.5
    found = json.loads(score("ground", "--json").out)
    assert found["metrics"]["acc@0.5"]["value"] == 0.5


@pytest.mark.parametrize(
    ("task", "items"),
    [
        (
            "count",
            [
                {"id": "a", "parsed": 12, "correct": True},
                {"id": "b", "parsed": None, "correct": False},
                {"id": 7, "parsed": None, "correct": False},
                {"id": "d", "parsed": 11, "correct": False},
            ],
        ),
        (
            "vqa",
            [
                {"id": "a", "parsed": "yes", "correct": True},
                {"id": "b", "parsed": None, "correct": False},
                {"id": "c", "parsed": "two", "correct": True},
            ],
        ),
        (
            "ground",
            [
                {"id": "a", "parsed": [0, 0, 50, 100], "correct": True, "iou": 1},
                {"id": "b", "parsed": None, "correct": False, "iou": 0},
            ],
        ),
        (
            "classify",
            [
                {"id": "a", "parsed": "railway station", "correct": True},
                {"id": "b", "parsed": None, "correct": False},
            ],
        ),
    ],
)
def test_details_say_what_became_of_every_line(
    score: Any, tmp_path: Path, task: str, items: list[Any]
) -> None:
    outcome = score(task, "--json", "--details", tmp_path / "d.jsonl")
    assert outcome.code == 0
    assert [json.loads(line) for line in (tmp_path / "d.jsonl").read_text().splitlines()] == items
    assert {path.name for path in tmp_path.iterdir()} == {"p.jsonl", "d.jsonl"}


def test_details_of_captions_are_their_scores(score: Any, tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap")
    outcome = score("caption", "--json", "--details", tmp_path / "d.jsonl")
    assert "no java" in json.loads(outcome.out)["implementation"]["meteor"].lower()
    first, second = (json.loads(line) for line in (tmp_path / "d.jsonl").read_text().splitlines())
    assert (first["id"], first["parsed"], first["correct"]) == ("a", "a plane on the runway.", None)
    assert set(second) == {"id", "parsed", "correct", *NAMES["caption"]}
    assert second["bleu1"] == pytest.approx(2 / 2 * 2.718281828 ** (1 - 3 / 2), abs=1e-4)


def test_the_table_says_everything_too(score: Any) -> None:
    outcome = score("classify")
    assert (outcome.code, outcome.err) == (0, "")
    for text in ("accuracy", "50.0%", "recall, park", "unparsable: 50.0% of the answers, counted as wrong"):
        assert text in outcome.out
    assert "for comparison with the SkyMoE paper's tables only" in score("count", "--protocol", "paper").out


def test_bad_lines_stop_it_or_are_left_out_and_counted(score: Any, tmp_path: Path) -> None:
    rows = [*FILES["count"], {"id": "a", "prediction": "1", "reference": 1}, {"id": "x"}]
    outcome = score("count", "--json", "--details", tmp_path / "d.jsonl", rows=rows)
    assert (outcome.code, outcome.out) == (2, "")
    assert not (tmp_path / "d.jsonl").exists()
    assert (
        '2 of 6 lines cannot be used: line 5: its id "a" is that of line 1; line 6: it has no' in outcome.err
    )
    assert outcome.err.count("\n") == 1
    outcome = score("count", "--json", "--skip-invalid", rows=rows)
    assert outcome.code == 0
    assert "2 of 6 left out: line 5:" in outcome.err
    found = json.loads(outcome.out)
    assert (found["n"], found["implementation"]["lines"]) == (4, "2 of 6 left out")


def test_other_peoples_files(score: Any, tmp_path: Path) -> None:
    rows = [{"pred": "[0.1, 0.2, 0.5, 0.6]", "target": "[0.1, 0.2, 0.5, 0.6]", "filename": "1.jpg"}]
    found = json.loads(score("ground", "--json", "--convert", "lhrs", rows=rows).out)
    assert found["metrics"]["acc@0.7"]["value"] == 1
    assert found["implementation"]["boxes"] == "unit"
    rows = [{"question_id": "park/1.jpg", "answer": "Park"}]
    found = json.loads(
        score("classify", "--json", "--convert", "geochat", "--labels", "park, pond", rows=rows).out
    )
    assert found["metrics"]["accuracy"]["value"] == 1
    truth = tmp_path / "truth.jsonl"
    truth.write_text('{"id": 1, "reference": 4}\n')
    assert score("count", "--references", truth, rows=[{"id": 1, "prediction": "4"}]).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segment"], "there is no task 'segment': choose one of caption, vqa, ground, count, classify"),
        (["count", "--protocol", "coco"], "no protocol is called 'coco'"),
        (["ground", "--boxes", "coco"], "unknown box notation 'coco'"),
        (["count", "--convert", "llava"], "'llava' is not known"),
        (["ground", "--image-size", "big"], "write WIDTHxHEIGHT"),
        (["ground", "--image-size", "0x10"], "write WIDTHxHEIGHT"),
        (["classify", "--labels", " , "], "--labels is empty"),
        (["count", "--references", "absent.jsonl"], "absent.jsonl cannot be read: No such file"),
        (["count", "--details", "absent/d.jsonl"], "cannot be written: No such file"),
        (["count", "--details", "."], "is a folder"),
    ],
)
def test_mistakes_are_one_line_and_code_2(score: Any, arguments: list[str], said: str) -> None:
    outcome = score(*arguments, rows=FILES.get(arguments[0], FILES["count"]))
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_two_files_are_compared(run: Run, tmp_path: Path) -> None:
    for name, share in (("a", 2), ("b", 10)):
        rows = [{"id": n, "prediction": str(n % share and n), "reference": n} for n in range(1, 101)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    outcome = run("compare", *files, "--task", "count", "--json", "--resamples", 500, tiny=False)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert (found["a"], found["b"]) == ("a.jsonl", "b.jsonl")
    accuracy = found["comparisons"][""]["metrics"]["accuracy"]
    assert (accuracy["a"], accuracy["b"], accuracy["real"]) == (0.5, 0.9, True)
    assert accuracy["difference"]["value"] == pytest.approx(0.4)
    assert found["comparisons"][""]["right"] == {"only a": 0, "only b": 40, "both": 50, "neither": 10}
    table = run("compare", *files, "--task", "count", "--resamples", 500, tiny=False).out
    assert "+40.0" in table
    assert "B is better" in table
    drawn = ("--task", "count", "--resamples", 500, "--markdown", "--out")
    assert "B is better" in run("compare", *files, *drawn, tmp_path / "page" / "c.html", tiny=False).out
    assert "a.jsonl" in (tmp_path / "page" / "c.html").read_text()
    outcome = run("compare", *files, *drawn, tmp_path, tiny=False)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    outcome = run("compare", *files, tiny=False)
    assert (outcome.code, outcome.out) == (2, "")
    assert "say what it answers with --task" in outcome.err


def test_the_predictions_are_never_written_over(score: Any, run: Run, tmp_path: Path) -> None:
    outcome = score("count", "--details", tmp_path / "." / "p.jsonl")
    assert outcome.code == 2
    assert "is a file that is read" in outcome.err
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 4
    outcome = run("score", "count", tmp_path / "absent\n.jsonl", tiny=False)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
