"""Numbers and page of made-up routings: what holds for any number of layers and experts, without a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skymoe.errors import UserError
from skymoe.evaluation.routing import charts, page, summary
from skymoe.evaluation.routing.questions import Asked
from skymoe.evaluation.routing.running import Named, Settings, assemble, choose_examples
from skymoe.evaluation.routing.tracing import Traced
from skymoe.sample import Sample
from skymoe.tasks import Query

PARTS = ("opening", "picture", "question", "closing", "answer")
LENGTHS = (1, 4, 3, 1, 2)
QUICK = Settings(shuffles=19, examples=3)


def no_engine() -> Any:
    raise AssertionError("nothing is to be loaded")


@pytest.fixture
def asked(tmp_path: Path) -> list[Asked]:
    found = []
    for number in range(6):
        source = "<b>one & only</b>" if number < 3 else "two"
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 30), (number * 40, 90, 60)).save(path)
        sample = Sample(str(number), str(path), source, "test", "none", 40, 30)
        for query, level in ((Query("caption"), "image"), (Query("count", "ship"), "region")):
            found.append(Asked(f"{number}#{query.task}", str(path), sample, query, level))
    return found


def made(asked: Sequence[Asked], layers: int, experts: int, choose: Any = None, seed: int = 0) -> Traced:
    """Every token's first choice at random, or the one that ``choose(question, part, rng)`` gives; K is 1."""
    rng = np.random.default_rng(seed)
    part_of = np.repeat(np.arange(len(PARTS)), LENGTHS).astype(np.uint8)
    choices = rng.integers(0, experts, (len(asked), layers, len(part_of)))
    if choose is not None:
        for number, one in enumerate(asked):
            for place, part in enumerate(part_of):
                choices[number, :, place] = choose(one, PARTS[part], rng)
    hot = np.eye(experts)[choices]
    first = np.stack([hot[:, :, part_of == n].sum(axis=2) for n in range(len(PARTS))], axis=2)
    counts = first.sum(axis=-1)
    return Traced(
        layers=tuple(range(1, 2 * layers, 2)), experts=experts, top_k=1, side=2, parts=PARTS, conditioned=False,
        first=first, chosen=first, probability=first, surest=counts, entropy=0 * counts,
        choices=tuple(choices.astype(np.uint16)), tokens=tuple((n, *LENGTHS) for n in range(len(asked))),
        part_of=(part_of,) * len(asked),
    )  # fmt: skip


def report_of(asked: list[Asked], *traces: Traced) -> dict[str, Any]:
    roles = dict(zip(("model", "against"), traces, strict=False))
    named = {role: (Named(f"{role} <i>", "0" * 12, no_engine), traced) for role, traced in roles.items()}
    return assemble(named, asked, QUICK, choose_examples(asked, QUICK.examples))


def shown(report: dict[str, Any], asked: list[Asked]) -> str:
    return page.page(report, [asked[n].sample for n in choose_examples(asked, QUICK.examples)])


def test_what_is_put_in_is_found(asked: list[Asked]) -> None:
    def choose(one: Asked, part: str, rng: Any) -> int:
        if part == "closing":
            return 0 if one.query.task == "caption" else 1
        if part == "picture":
            return 2 if one.source == "two" else 3
        return 0

    report = report_of(asked, made(asked, 2, 4, choose))
    for layer in report["model"]["layers"]:
        told = layer["information"]
        assert told["task"]["closing"]["nmi"] == pytest.approx(1)
        assert told["source"]["closing"]["nmi"] == 0
        assert told["source"]["picture"]["nmi"] == pytest.approx(1)
        assert told["source"]["picture"]["within"] is None
        assert told["task"]["picture"]["nmi"] == 0
        assert told["task"]["answer"]["nmi"] == 0
        assert "opening" not in told["task"]
        assert layer["histograms"]["task"]["count"]["closing"] == [0, 1, 0, 0]
        assert layer["histograms"]["source"]["two"]["picture"] == [0, 0, 1, 0]
        assert layer["balance"]["picture"]["load"] == [0, 0, 0.5, 0.5]
    assert list(report["asked"]["task"]) == ["caption", "count"]
    said = summary.findings(report["model"])
    assert "tells 1.00" in said[0]
    assert "routed alike whatever is asked" in said[2]
    assert summary.table(report["model"]).row_count == 2 * 4
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(("layers", "experts"), [(1, 2), (16, 12)])
def test_the_page_takes_any_number_of_layers_and_experts(
    asked: list[Asked], layers: int, experts: int
) -> None:
    report = report_of(asked, made(asked, layers, experts), made(asked, layers, experts, seed=1))
    text = shown(report, asked)
    assert text.count('<div class="card">') == 3
    assert text.count('class="map"') == 3 * 2 * min(layers, page.COLUMNS)
    assert "&lt;b&gt;one &amp; only&lt;/b&gt;" in text
    assert "<b>one" not in text
    assert "<i>" not in text
    assert "://" not in text
    assert not re.search(r"[\">( ](nan|inf)\b", text)
    assert "Do both sort the same tokens alike?" in text
    assert len({charts.colour(n) for n in range(experts)}) == experts


def test_other_tokens_are_not_compared(asked: list[Asked]) -> None:
    one, other = made(asked, 2, 4), made(asked, 3, 8)
    other = Traced(**{**vars(other), "tokens": tuple((n + 1, *LENGTHS) for n in range(len(asked)))})
    report = report_of(asked, one, other)
    assert len(report["comparison"]) == 2  # as many layers as both have
    assert all(agreed is None for pair in report["comparison"] for agreed in pair["agreement"].values())
    assert "Do both sort" not in shown(report, asked)


def test_a_single_task_and_a_single_picture_are_no_reason_to_fail(asked: list[Asked]) -> None:
    for few in ([one for one in asked if one.query.task == "caption"], asked[:2]):
        report = report_of(few, made(few, 2, 4))
        assert shown(report, few)
        assert summary.table(report["model"]).row_count == 8
    assert "there is one only" in summary.findings(report_of(asked[::2], made(asked[::2], 1, 2))["model"])[0]


def test_examples_come_from_every_data_set(asked: list[Asked]) -> None:
    chosen = choose_examples(asked, 4)
    assert [asked[n].source for n in chosen].count("two") == 2
    assert len({asked[n].picture for n in chosen}) == 4
    assert len(choose_examples(asked, 99)) == 6
    assert choose_examples(asked, 0) == []


def test_nineteen_shuffles_can_be_enough() -> None:
    least = {"p": 1 / 20}
    assert summary.beyond_picture({"within": least})
    assert summary.above_chance({"low": 0.1, "chance": least})
    assert not summary.above_chance({"low": -0.1, "chance": least})
    assert not summary.beyond_picture({"within": None})


def test_maps_lie_as_the_picture_does() -> None:
    drawn = charts.expert_map([[0, 0, 1], [2, 1, 1]])
    assert drawn.count("<rect") == 4
    assert '<rect x="0" y="0" width="2" height="1" fill="var(--e0)">' in drawn
    assert '<rect x="1" y="1" width="2" height="1" fill="var(--e1)">' in drawn


def test_own_answers_are_those_to_the_canonical_wording() -> None:
    with pytest.raises(UserError, match="canonical wording"):
        Settings(answers="own")
