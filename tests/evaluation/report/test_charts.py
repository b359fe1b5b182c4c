"""The points of the drawings."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.report.conftest import made_report, made_result
from skymoe.evaluation.intervals import wilson
from skymoe.evaluation.report.charts import Ring, Spoke, curve, radar, scatter
from skymoe.evaluation.report.radar import own_radar, published_radar

SPOKES = [Spoke(name) for name in "abcd"]


def test_the_first_spoke_points_up_and_the_next_to_the_right() -> None:
    ring = Ring("r", (1.0, 0.5, 0.0, 1.0), ("",) * 4, "ours")
    found = radar(SPOKES, [ring], width=400, radius=100)
    x, y = found["middle"]
    assert [(dot["x"] - x, dot["y"] - y) for dot in found["rings"][0]["dots"]] == [
        pytest.approx(point, abs=1e-9) for point in [(0, -100), (50, 0), (0, 0), (-100, 0)]
    ]
    assert found["rings"][0]["area"].count(",") == 4


def test_a_ring_with_gaps_is_open_there() -> None:
    found = radar(SPOKES, [Ring("r", (1.0, 1.0, None, 0.5), ("",) * 4, "ours")], width=400, radius=100)
    ring = found["rings"][0]
    assert ring["area"] is None
    assert len(ring["dots"]) == 3
    assert len(ring["lines"]) == 2  # a–b and d–a


def test_nothing_leaves_the_chart() -> None:
    found = radar(SPOKES, [Ring("r", (7.0, -3.0, 0.1, 0.1), ("",) * 4, "x")], width=400, radius=100)
    x, y = found["middle"]
    assert all(abs(dot["x"] - x) + abs(dot["y"] - y) < 101 for dot in found["rings"][0]["dots"])


def test_right_counts_lie_on_the_diagonal() -> None:
    found = scatter([[0, 0, 5], [3, 3, 1], [9, 2, 1], [120, 60, 2]], side=300)
    for dot in found["dots"]:
        assert (abs(dot["x"] + dot["y"] - 300) < 1e-9) == dot["right"]
        assert 0 <= dot["x"] <= 300
    assert found["dots"][0]["r"] == max(dot["r"] for dot in found["dots"])
    assert [tick["label"] for tick in found["ticks"]][-1] == "100"


def test_zeros_alone_can_be_drawn() -> None:
    assert scatter([[0, 0, 1]])["dots"][0]["x"] == 0


def test_a_curve_starts_at_the_left_and_ends_at_the_right() -> None:
    found = curve([[0, 1], [0.5, 0.4], [1, 0]], width=100, height=50)
    assert found["line"] == "0.0,0.0 50.0,30.0 100.0,50.0"
    assert found["dots"][1]["said"] == "IoU ≥ 0.50: 40.0 %"


def test_the_own_radar_needs_three_benchmarks_and_shows_the_blind_model() -> None:
    result = made_result(
        "classify", {"accuracy": wilson(30, 40)}, blind={"metrics": {"accuracy": wilson(4, 40)}}
    )
    assert own_radar(made_report(a=result, b=result)) is None
    found = own_radar(made_report(a=result, b=result, c=result))
    assert found is not None
    assert [ring["name"] for ring in found["rings"]] == ["blind", "m"]
    assert found["rings"][1]["dots"][0]["said"] == "m, 1: 75.0 %"


def test_the_published_radar_has_twenty_data_sets_and_ours_where_there_is_one(
    scenes: dict[str, Any],
) -> None:
    found = published_radar(scenes)
    assert found is not None
    assert len(found["names"]) == 20  # the paper's 21 but MGRS-Bench
    ours = found["wide"]["rings"][-1]
    assert [dot["said"] for dot in ours["dots"]] == ["m, AID: 90.0"]
    skymoe = found["wide"]["rings"][-2]
    assert skymoe["name"] == "SkyMoE"
    assert skymoe["area"]
    assert "SkyMoE, RSVQA-LR: 93.1" in {dot["said"] for dot in skymoe["dots"]}
    del scenes["results"]["aid-rsicd-test"]["paper"]
    assert published_radar(scenes) is None
