"""The paper's 21 benchmarks: which questions they ask, in which words, and that they never change unnoticed.

`snapshot.json` holds every question of the miniature test splits. A change of it is a change of the benchmarks: new
numbers are then not comparable with old ones. To write it anew: `SKYMOE_WRITE_SNAPSHOT=1 pytest` on this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evaluation.conftest import perfect
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import BENCHMARKS, FAMILIES, available, get_benchmark, pictures, select
from skymoe.evaluation.scoring import HEADLINES, score_records
from skymoe.tasks import TASKS

SNAPSHOT = Path(__file__).with_name("snapshot.json")
PAPER = FAMILIES["paper"]


def test_there_are_21_of_five_tasks() -> None:
    named = [get_benchmark(name) for name in PAPER]
    assert len({one.published for one in named}) == 21
    of_task = {task: {one.published for one in named if one.task == task} for task in TASKS}
    sizes = {task: len(found) for task, found in of_task.items()}
    # MGRS-Bench is one of each.
    assert sizes == {"caption": 6, "vqa": 3, "ground": 6, "count": 6, "classify": 4}
    assert {one.published for one in named if one.folder == "MGRS-Bench"} == {"MGRS-Bench"}
    assert FAMILIES["mgrs-bench"] == tuple(
        f"mgrs-{task}" for task in ("caption", "vqa", "ground", "count", "classify")
    )


def test_a_benchmark_is_data() -> None:
    for benchmark in BENCHMARKS.values():
        assert benchmark.protocol == "standard"
        assert benchmark.metrics == HEADLINES[benchmark.task]
        assert benchmark.note, benchmark.name
    assert get_benchmark("dior-rsvg").prompt == "[refer] Where is <p> the object </p>?"
    assert get_benchmark("rsod").prompt == "How many objects are there in this image? Answer with a number."
    assert get_benchmark("rsvqa-lr").prompt.endswith("Answer the question using a single word or phrase.")


def test_ids_and_prompts_do_not_drift(official_miniatures: Path) -> None:
    found = {
        name: {item.id: item.prompt for item in get_benchmark(name).items(root=official_miniatures)}
        for name in (*PAPER, "rsvqa-hr-2")
    }
    if os.environ.get("SKYMOE_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*PAPER, "rsvqa-hr-2"])
def test_right_answers_score_full_marks(name: str, official_miniatures: Path, without_java: None) -> None:
    benchmark = get_benchmark(name)
    items = benchmark.items(root=official_miniatures)
    assert len({item.id for item in items}) == len(items)
    score = score_records(benchmark.task, [perfect(item) for item in items])
    assert score.n == len(items)
    if benchmark.task == "caption":
        return
    best = {"mae": 0.0, "rmse": 0.0, "mae_zero": 0.0, "rmse_zero": 0.0}
    first = benchmark.metrics[0]
    assert score.metrics[first]["value"] == 1.0
    for metric in benchmark.metrics:
        if metric != "miou":
            assert score.metrics[metric]["value"] == best.get(metric, 1.0), metric
    assert score.unparsable == 0


def test_expressions_that_fit_several_objects_are_asked(official_miniatures: Path) -> None:
    items = get_benchmark("dior-rsvg").items("train", root=official_miniatures)
    small = [item for item in items if item.query.subject == "A small vehicle"]
    # 00002 has the phrase twice, for two objects: as many questions, each with its own box.
    assert len(small) == 2
    assert len({item.query.box for item in small}) == 2
    assert len({item.id for item in items}) == len(items) == 4


def test_counts_are_of_what_is_there_and_annotated(official_miniatures: Path) -> None:
    items = get_benchmark("nwpu-vhr10").items("train", root=official_miniatures)
    assert all(int(item.query.target or 0) > 0 for item in items)
    # Vehicles of HRRSD have mostly no box.
    hrrsd = get_benchmark("hrrsd").items("train", root=official_miniatures)
    assert {item.query.subject for item in hrrsd} == {"storage tank", "t-junction", "parking lot"}
    # Numbers by class can be had; nano's own lines stay what they were.
    assert [item.record()["class"] for item in hrrsd] == [item.query.subject for item in hrrsd]
    assert not get_benchmark("airbus-count").by_class


def test_dota_is_asked_on_val_and_nothing_else_is_called_val(official_miniatures: Path) -> None:
    dota = get_benchmark("dota-v2")
    items = dota.items(root=official_miniatures)
    assert {item.sample.split for item in items} == {"val"}
    with pytest.raises(UserError, match="'val' is the test split here; choose test"):
        dota.items("val", root=official_miniatures)
    assert {item.sample.split for item in dota.items("train", root=official_miniatures)} == {"train"}


def test_the_second_test_of_rsvqa_hr_is_a_benchmark_of_its_own(official_miniatures: Path) -> None:
    first = get_benchmark("rsvqa-hr").items(root=official_miniatures)
    second = get_benchmark("rsvqa-hr-2").items(root=official_miniatures)
    assert {item.sample.split for item in first} == {"test"}
    assert {item.sample.split for item in second} == {"test_2"}


def test_numbers_of_rsvqa_are_judged_by_their_class(official_miniatures: Path) -> None:
    for name, kind, right, wrong in (
        ("rsvqa-lr", "count", ("0", "7", "eleven", "1000", "5,000"), ("1", "11", "10", "10", "1000")),
        ("rsvqa-hr", "area", ("0 m2", "2000m2", "99 square meters"), ("5 m2", "100 m2", "101 m2")),
    ):
        items = get_benchmark(name).items("train", root=official_miniatures)
        records = [item.record() for item in items if item.query.kind == kind]
        for answers, share in ((right, 1.0), (wrong, 0.0)):
            lines = [{**record, "prediction": text} for record, text in zip(records, answers, strict=True)]
            assert score_records("vqa", lines).metrics["oa"]["value"] == share, (name, answers)


def test_mgrs_style_sets_are_read_from_their_folder(official_miniatures: Path, tmp_path: Path) -> None:
    items = get_benchmark("mgrs-ground").items(root=official_miniatures)
    assert (len(items), pictures(items)) == (4, 2)
    with pytest.raises(UserError, match=r"samples\.jsonl in .*MGRS-Bench"):
        get_benchmark("mgrs-ground").items(root=tmp_path)


def test_families_and_other_names(official_miniatures: Path) -> None:
    assert get_benchmark("aid") is get_benchmark("aid-rsicd-test")
    assert get_benchmark("dotav2").name == "dota-v2"
    assert [one.name for one in select(["counting", "rsod", "aid"])] == [
        *FAMILIES["counting"],
        "aid-rsicd-test",
    ]
    with pytest.raises(UserError, match="is a family of benchmarks; choose one of resisc45"):
        get_benchmark("scenes")
    with pytest.raises(UserError, match="did you mean counting"):
        select(["countin"])


def test_what_is_there_is_known_without_reading(official_miniatures: Path, tmp_path: Path) -> None:
    there = [one.name for one in available(official_miniatures)]
    assert set(PAPER) <= set(there)
    assert "airbus-count" not in there
    assert available(tmp_path) == []
    assert "vrsbench" in get_benchmark("vrsbench").state(tmp_path).remedy.lower()


def test_official_numbers_stand_in_the_benchmarks() -> None:
    """What the benchmark says is what its reader's card says."""
    for name in PAPER:
        benchmark = get_benchmark(name)
        reader = benchmark.reader("nowhere")
        what = {"vqa": "questions", "ground": "expressions"}.get(benchmark.task, "")
        if benchmark.questions:
            assert {k: v for k, v in reader.totals[what].items() if k != "test_2"} == benchmark.questions, (
                name
            )
        for split, size in benchmark.sizes.items():
            assert reader.counts.get(split, size) == size or name == "rsicd", name
    assert get_benchmark("rsvqa-hr-2").questions["test"] == 105647
