"""What fits: properties that hold for every layout, and remedies that are true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skymoe.errors import UserError
from skymoe.train.planning.fitting import Machine, best, fit_all, per_gpu
from skymoe.train.planning.known import known_architecture, paper_stage
from skymoe.train.planning.memory import STRATEGIES, Estimator, Layout, layouts
from skymoe.train.planning.plan import make_plan
from skymoe.train.planning.schedule import traffic
from skymoe.train.planning.stage import PRECISIONS, StageSettings
from skymoe.train.planning.units import GIB

STAGE = paper_stage(known_architecture("skymoe-1b"), "stage2")


def machine(gpus: int = 8, memory: int = 80) -> Machine:
    return Machine(gpus, memory * GIB, GIB, 100e12, 300e9)


@pytest.mark.parametrize("layout", layouts(STAGE, 8), ids=lambda layout: layout.strategy)
def test_memory_grows_with_samples_and_shrinks_with_checkpointing(layout: Layout) -> None:
    estimator = Estimator(STAGE)
    kept = [estimator.memory(layout, micro, False, True) for micro in (1, 2, 4, 8)]
    again = [estimator.memory(layout, micro, True, True) for micro in (1, 2, 4, 8)]
    for memories in (kept, again):
        assert [one.peak for one in memories] == sorted(one.peak for one in memories)
    assert all(one.activations > other.activations for one, other in zip(kept, again, strict=True))
    assert all(one.peak > other.peak for one, other in zip(kept, again, strict=True))
    for one in kept + again:
        assert max(one.moments.values()) == one.peak == one.moments[one.worst]
        assert one.peak <= one.state + one.activations + one.working + 1


def test_state_is_spread_evenly() -> None:
    estimator = Estimator(STAGE)
    whole = estimator.memory(Layout("ddp", 1), 1, True, True).state
    for gpus in (2, 4, 16):
        assert estimator.memory(Layout("fsdp", gpus), 1, True, True).state == pytest.approx(whole / gpus)
    offloaded = estimator.memory(Layout("offload", 4), 1, True, True)
    assert offloaded.state == 0
    assert offloaded.host == pytest.approx(whole / 4)


def test_ways_to_spread_in_order_of_memory() -> None:
    estimator = Estimator(STAGE)
    peaks = [estimator.memory(layout, 2, True, True).peak for layout in layouts(STAGE, 8)]
    assert [layout.strategy for layout in layouts(STAGE, 8)] == list(STRATEGIES)
    assert peaks == sorted(peaks, reverse=True)


def test_the_precision_says_what_a_trained_weight_costs() -> None:
    assert {name: one.per_trained for name, one in PRECISIONS.items()} == {
        "fp32": 16, "bf16": 16, "bf16-autocast": 16, "pure-bf16": 8,
    }  # fmt: skip
    layout = Layout("ddp", 1)
    peaks = [
        Estimator(replace(STAGE, precision=PRECISIONS[name])).memory(layout, 1, True, True).peak
        for name in PRECISIONS
    ]
    fp32, mixed, autocast, pure = peaks
    assert pure < mixed < autocast < fp32


@pytest.mark.parametrize("memory", [16, 24, 40, 80])
def test_what_fits_is_the_largest_micro_batch_that_does(memory: int) -> None:
    given = machine(8, memory)
    for fit in fit_all(STAGE, given):
        assert fit.micro * fit.accumulation == per_gpu(STAGE, 8)
        assert fit.fits == (fit.memory.peak <= given.usable)
    chosen = best(fit_all(STAGE, given))
    assert chosen is None or chosen.fits


def test_remedies_are_true() -> None:
    plan = make_plan(STAGE, machine(1, 24))
    assert plan.best is None or plan.best.layout.strategy == "offload"
    more = next(remedy for remedy in plan.remedies if remedy.startswith("--gpus"))
    gpus = int(more.split()[1])
    ways = ("fsdp",)
    assert any(fit.fits for fit in fit_all(STAGE, machine(gpus, 24), ways, checkpointing=True, micro=1))
    if gpus > 2:
        fewer = fit_all(STAGE, machine(gpus - 1, 24), ways, checkpointing=True, micro=1)
        assert not any(fit.fits for fit in fewer)


def test_nothing_needs_a_remedy_where_it_fits() -> None:
    assert make_plan(STAGE, machine(8, 80)).remedies == []


def test_a_batch_that_does_not_divide_is_said() -> None:
    plan = make_plan(STAGE, machine(7, 80))
    assert any("do not divide among 7 GPUs" in note for note in plan.notes())


def test_traffic() -> None:
    estimator = Estimator(STAGE)
    trained = estimator.held.trained
    assert traffic(estimator, Layout("ddp", 1), 4, False) == 0
    assert traffic(estimator, Layout("ddp", 4), 4, False) == pytest.approx(2 * 3 / 4 * trained * 4)
    once, often = (traffic(estimator, Layout("fsdp", 4), many, False) for many in (1, 4))
    assert often == pytest.approx(4 * once)
    # Experts that stay where they are need not be gathered; their tokens travel instead.
    assert traffic(estimator, Layout("ep", 8, 8), 4, False) < traffic(estimator, Layout("fsdp", 8), 4, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"micro": 5}, "--micro-batch 5 does not divide the 18 samples"),
        ({"strategies": ("ep",), "gpus": 7}, "cannot spread 8 experts over 7"),
    ],
)
def test_what_is_impossible_is_said(change: dict, message: str) -> None:
    gpus = change.pop("gpus", 8)
    with pytest.raises(UserError, match=message):
        fit_all(STAGE, machine(gpus), **change)


def test_experts_cannot_be_spread_where_there_are_none() -> None:
    dense: StageSettings = replace(STAGE, architecture=STAGE.architecture.with_experts(0), trains=None)
    with pytest.raises(UserError, match="has none"):
        fit_all(dense, machine(8), ("ep",))
