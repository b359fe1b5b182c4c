"""nano's own nine: which questions they ask, in which words, and that they never change unnoticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from evaluation.conftest import perfect
from skymoe.errors import UserError
from skymoe.evaluation.benchmarks import BENCHMARKS, FAMILIES, get_benchmark, pictures
from skymoe.evaluation.scoring import HEADLINES, score_records
from skymoe.tasks import TASKS


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "questions", "shown"),
    [
        ("ucm-captions", 210, 210),
        ("rsicd", 1027, 1027),
        ("aid-rsicd-test", 1027, 1027),
        ("ucm-scenes", 210, 210),
        ("rsivqa-ucm", 255, 51),
        ("rsivqa-ucm-themes", 210, 210),
        ("rsivqa-rsicd-themes", 1027, 1027),
        ("airbus-count", 878, 878),
    ],
)
def test_official_sizes(real: Path, name: str, questions: int, shown: int) -> None:
    items = get_benchmark(name).items()
    assert (len(items), pictures(items)) == (questions, shown)
    assert len({item.id for item in items}) == questions


@pytest.mark.data
def test_expressions_of_real_tiles(real: Path) -> None:
    items = get_benchmark("airbus-ground").items()
    by_tile = Counter(item.sample.id for item in items)
    assert max(by_tile.values()) == 3
    assert len({(item.sample.id, item.query.box) for item in items}) == len(items) > 1000
    # What rounding to the notation's 101 steps costs, and no more.
    found = score_records("ground", [perfect(item) for item in items]).metrics
    assert found["acc@0.5"]["value"] > 0.995


PROMPTS = {
    "ucm-captions": "Describe this image in one sentence.",
    "rsicd": "Describe this image in one sentence.",
    "aid-rsicd-test": "Which scene does this image belong to?",
    "ucm-scenes": "Which scene does this image belong to?",
    "rsivqa-ucm": "What is the theme of this picture? Answer the question using a single word or phrase.",
    "rsivqa-ucm-themes": "what is the theme of this picture? Answer the question using a single word or phrase.",
    "rsivqa-rsicd-themes": "what is the theme of this picture? Answer the question using a single word or phrase.",
    "airbus-count": "How many storage tanks are there in this image? Answer with a number.",
}


def test_prompts_do_not_drift(miniatures: Path) -> None:
    assert {name: get_benchmark(name).items(root=miniatures)[0].prompt for name in PROMPTS} == PROMPTS
    grounding = get_benchmark("airbus-ground").items("train", root=miniatures)[0]
    assert grounding.prompt == f"[refer] Where is <p> {grounding.query.subject} </p>?"
    assert (*PROMPTS, "airbus-ground") == FAMILIES["nano"] == tuple(BENCHMARKS)[:9]


@pytest.mark.parametrize("name", FAMILIES["nano"])
def test_right_answers_score_full_marks(name: str, miniatures: Path, without_java: None) -> None:
    benchmark = get_benchmark(name)
    items = benchmark.items("train", root=miniatures)
    score = score_records(benchmark.task, [perfect(item) for item in items])
    best = {"mae": 0.0, "rmse": 0.0}
    if benchmark.task == "caption":
        assert score.metrics["bleu4"]["value"] == pytest.approx(1, abs=0.05)
        return
    rounded = ("miou", "cum_iou")  # the notation has 101 steps
    values = {name: estimate["value"] for name, estimate in score.metrics.items() if name not in rounded}
    assert values == {name: best.get(name, 1.0) for name in values}
    assert score.unparsable == 0


def test_captions_are_judged_by_the_raw_references(miniatures: Path) -> None:
    # Tidied ("… airplane."), they could have other tokens.
    records = [item.record() for item in get_benchmark("ucm-captions").items(root=miniatures)]
    assert ["There is an airplane ."] in [record["references"] for record in records]


def test_a_limit_takes_a_seeded_part_of_the_pictures(miniatures: Path) -> None:
    benchmark = get_benchmark("airbus-ground")
    everything = benchmark.items("train", root=miniatures)
    part = benchmark.items("train", root=miniatures, limit=3)
    assert pictures(part) == 3
    assert part == benchmark.items("train", root=miniatures, limit=3)
    kept = {item.sample.id for item in part}
    assert part == [item for item in everything if item.sample.id in kept]
    assert benchmark.items("train", root=miniatures, limit=10**6) == everything
    others = [benchmark.items("train", root=miniatures, limit=3, seed=seed) for seed in range(1, 6)]
    assert any(other != part for other in others)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean rsicd"):
        get_benchmark("rsidc")
    with pytest.raises(UserError, match=r"UCM-Captions/dataset\.json"):
        get_benchmark("ucm-scenes").items(root=tmp_path)


def test_every_task_has_headlines() -> None:
    assert set(HEADLINES) == set(TASKS)
    assert {benchmark.task for benchmark in BENCHMARKS.values()} == set(TASKS)
