from __future__ import annotations

from random import Random

import pytest

from skymoe.sample import Sample
from skymoe.tasks import OneOf, Query, get_task
from skymoe.tasks.labels import AID_LABELS, TRAINED_LABELS

classify = get_task("classify")


def test_the_target_is_the_label_in_plain_words(sample: Sample) -> None:
    (query,) = classify.queries(sample)
    assert query.target == "storage tanks"
    assert query.labels == ("storage tanks", "river", "tennis court")
    assert classify.queries(sample.replace(label=None)) == []


def test_training_now_and_then_names_a_short_list_with_the_answer_in_it(sample: Sample) -> None:
    sample = sample.replace(labels=AID_LABELS)
    lists = [classify.queries(sample, Random(seed))[0].labels for seed in range(400)]
    short = [labels for labels in lists if labels != AID_LABELS]
    assert 15 < len(short) < 80
    assert all("storage tanks" in labels and 2 <= len(labels) <= 6 for labels in short)
    assert len({labels.index("storage tanks") for labels in short}) > 3
    assert classify.queries(sample)[0].labels == AID_LABELS


def test_the_shape_is_the_list_in_display_form() -> None:
    shape = classify.shape(Query("classify", labels=("OilRefinery", "oil_refinery", "Port")))
    assert shape == OneOf(("oil refinery", "port"))
    assert classify.shape(Query("classify")) == OneOf(TRAINED_LABELS)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("railway station", "RailwayStation"),
        ("It is a Railway_Station.", "RailwayStation"),
        ("railway", "railway"),
        ("port or railway", None),
        ("airports", None),
        ("", None),
    ],
)
def test_labels_come_back_as_the_caller_spells_them(text: str, label: str | None) -> None:
    answer = classify.parse(text, width=1, height=1, labels=("railway", "RailwayStation", "port"))
    assert (answer.label, answer.parsed, answer.text) == (label, label is not None, text)


def test_without_a_list_the_trained_labels_are_sought() -> None:
    assert classify.parse("A golf course", width=1, height=1).label == "golf course"
