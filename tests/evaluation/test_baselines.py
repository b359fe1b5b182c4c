"""The best that can be had without looking, learnt from the training split alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skymoe.evaluation import baselines
from skymoe.evaluation.benchmarks import Item, get_benchmark
from skymoe.sample import Sample
from skymoe.tasks import Query


def item(query: Query, number: int = 0, **fields: object) -> Item:
    sample = Sample(f"s{number}", "-", "test", "train", "-", 100, 200)
    return Item(f"i{number}", sample.replace(**fields), query)


def values(metrics: dict) -> dict[str, float]:
    return {name: estimate["value"] for name, estimate in metrics.items()}


def test_mean_colour_keeps_the_size_and_nothing_else() -> None:
    pixels = np.zeros((2, 4, 3), dtype=np.uint8)
    pixels[:, :2] = (200, 100, 3)
    found = baselines.mean_colour(Image.fromarray(pixels))
    assert found.size == (4, 2)
    assert {tuple(p) for p in np.asarray(found).reshape(-1, 3).tolist()} == {(100, 50, 2)}


def test_the_most_frequent_answer_breaks_ties_by_the_alphabet() -> None:
    assert baselines.most_frequent(["b", "a", "b", "a", "c"]) == "a"


def test_questions_get_the_usual_answer_to_the_same_question() -> None:
    train = [
        item(Query("vqa", "How many cars?", "two", kind="count")),
        item(Query("vqa", "How many cars?", "two", kind="count")),
        item(Query("vqa", "How many  boats?", "zero", kind="count")),
        item(Query("vqa", "Is there a plane?", "no", kind="presence")),
        item(Query("vqa", "Is there a tree?", "no", kind="presence")),
        item(Query("vqa", "Is there a bus?", "no", kind="presence")),
    ]
    asked = ["how many cars", "How many boats?", "How many tanks?", "Where is it?"]
    kinds = ["count", "count", "count", "location"]
    items = [item(Query("vqa", text, "-", kind=kind)) for text, kind in zip(asked, kinds, strict=True)]
    # The very question; the same with other spaces; its type; everything.
    assert baselines.frequent_answers(train, items) == ["two", "zero", "two", "no"]


def test_counts_get_the_mode_the_median_and_the_mean() -> None:
    best = baselines.best_counts([0, 0, 0, 1, 4, 5, 6, 7, 40])
    assert best == {"accuracy": 0, "mae": 4, "rmse": 7, "within10": 0}


def test_each_counting_metric_has_its_own_constant() -> None:
    train = [item(Query("count", "tank", str(n))) for n in (0, 0, 3, 4, 5)]
    items = [item(Query("count", "tank", str(n)), n) for n in (0, 2, 4)]
    metrics, _ = baselines.constant_metrics("count", train, items, [i.record() for i in items])
    assert values(metrics)["accuracy"] == pytest.approx(1 / 3)  # always 0
    assert values(metrics)["mae"] == pytest.approx((3 + 1 + 1) / 3)  # always 3
    assert values(metrics)["rmse"] == pytest.approx(((2**2 + 0 + 2**2) / 3) ** 0.5)  # always 2


def test_the_centred_box_is_the_one_that_fits_training() -> None:
    box = (25.0, 80.0, 75.0, 120.0)  # centred: half the width, a fifth of the height
    train = [item(Query("ground", "it", "-", box=box))]
    best = baselines.best_centred(train)
    assert best["miou"] == best["cum_iou"] == pytest.approx((0.5, 0.2))
    metrics, _ = baselines.constant_metrics("ground", train, train, [i.record() for i in train])
    assert values(metrics)["miou"] == pytest.approx(1)


@pytest.mark.parametrize(
    "name", ["ucm-captions", "ucm-scenes", "rsivqa-ucm", "airbus-count", "airbus-ground"]
)
def test_baselines_know_only_the_training_split(name: str, miniatures: Path, without_java: None) -> None:
    benchmark = get_benchmark(name)
    train, items = (benchmark.items(split, root=miniatures) for split in ("train", "test"))
    records = [i.record() for i in items]
    metrics, _ = baselines.constant_metrics(benchmark.task, train, items, records)
    # Another test split with the same questions gets the same answers: shuffle the references, keep their values.
    assert metrics.keys() >= {"caption": {"bleu4"}, "vqa": {"oa"}}.get(benchmark.task, set())
    assert all(estimate["low"] <= estimate["value"] <= estimate["high"] for estimate in metrics.values())
