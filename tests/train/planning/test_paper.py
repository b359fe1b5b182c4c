"""The arithmetic of the paper's model, which was worked out by hand before there was a planner (and found 9.36 B to be
neither of its parameter counts). Nothing here needs torch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skymoe.train.planning.fitting import Machine, default_reserve, fit_all
from skymoe.train.planning.known import known_architecture, known_stages, paper_stage
from skymoe.train.planning.memory import Estimator, Layout
from skymoe.train.planning.plan import make_plan
from skymoe.train.planning.schedule import answering, arithmetic, schedule
from skymoe.train.planning.stage import Lora, StageSettings, parameters
from skymoe.train.planning.units import GIB

MODEL = known_architecture("skymoe-7b")
STAGE1, STAGE2 = known_stages("skymoe-7b") or []
SIX = Machine(6, 80 * GIB, default_reserve(80 * GIB), 125e12, 300e9)


def billions(number: float, digits: int = 3) -> float:
    return round(number / 1e9, digits)


def test_parameters_of_stage_two() -> None:
    counted = parameters(STAGE2)
    assert (billions(counted.total), billions(counted.activated), billions(counted.trained)) == (
        22.214,
        9.228,
        17.315,
    )
    assert (counted.tower, counted.adaptor) == (304_244_736, 20_979_712)
    assert counted.trained == counted.experts + counted.routers
    assert counted.frozen == counted.total - counted.trained


@pytest.mark.parametrize(("experts", "total"), [(0, 7.064), (4, 13.557), (6, 17.885)])
def test_other_numbers_of_experts(experts: int, total: float) -> None:
    counted = parameters(replace(STAGE2, architecture=MODEL.with_experts(experts), trains=None))
    assert billions(counted.total) == total


def test_adapters_of_stage_one() -> None:
    assert parameters(STAGE1).trained == parameters(STAGE1).adapters == 33_554_432
    every = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    counted = parameters(replace(STAGE1, lora=Lora(64, every)))
    assert counted.trained == 159_907_840  # the tower's projections are named alike and get none
    assert counted.total == counted.activated == 7_063_640_064 + 159_907_840


def test_steps_and_tokens() -> None:
    planned = schedule(STAGE2)
    assert (planned.steps, planned.batch_size) == (8715, 144)
    assert planned.tokens_per_sample == 1296 + 64
    assert planned.tokens_per_step == 144 * 1360
    assert planned.tokens == 8715 * 144 * 1360


def test_prefill() -> None:
    sparse, dense = answering(MODEL), answering(MODEL.with_experts(0))
    assert sparse.tokens == 1360
    assert round(dense.prefill / 1e12, 1) == 18.9
    assert round(sparse.prefill / 1e12, 1) == 24.8
    assert round(sparse.ratio, 2) == 1.31
    assert sparse.prefill_dense == dense.prefill
    assert sparse.prefill_last < sparse.prefill


def test_weights_and_cache() -> None:
    asked = answering(MODEL)
    assert round(asked.weights / GIB, 1) == 41.4
    assert asked.cache == 2 * 2 * 1360 * 4096 * 32  # keys and values, two bytes each


def test_stage_two_fits_six_gpus_with_fsdp_but_not_with_zero2() -> None:
    estimator = Estimator(STAGE2)
    state = estimator.memory(Layout("fsdp", 6), 1, True, True).state
    assert round(state / GIB, 1) == 44.5
    for micro in (1, 2, 4):
        assert 44 * GIB < estimator.memory(Layout("fsdp", 6), micro, True, True).peak < 56 * GIB
    for fit in fit_all(STAGE2, SIX):
        assert fit.fits == (fit.layout.strategy in ("fsdp", "ep", "offload"))


def test_experts_are_shared_by_a_common_divisor() -> None:
    assert {fit.layout.expert_groups for fit in fit_all(STAGE2, SIX, ("ep",))} == {2}
    eight = replace(SIX, gpus=8)
    assert {fit.layout.expert_groups for fit in fit_all(STAGE2, eight, ("ep",))} == {8}


def test_one_gpu_takes_adapters_on_experts_only() -> None:
    one = replace(SIX, gpus=1)
    plan = make_plan(STAGE2, one, ("ddp",))
    assert plan.best is None
    assert any("--lora" in remedy for remedy in plan.remedies)
    adapted = make_plan(paper_stage(MODEL, "lora-experts"), one, ("ddp",))
    assert adapted.best is not None
    assert adapted.remedies == []


def test_a_frozen_tower_has_no_backward_pass() -> None:
    """Stage II: forward of everything; gradients of inputs behind layer 0's attention, of weights in experts alone."""
    work = arithmetic(replace(STAGE2, batch_size=1))
    assert work.backward < 2 * work.forward
    everything = arithmetic(replace(STAGE2, batch_size=1, trains=None))
    assert everything.forward == work.forward
    assert everything.backward > 1.9 * everything.forward


def test_deeper_is_more() -> None:
    small: StageSettings = paper_stage(known_architecture("skymoe-1b"), "stage2")
    large: StageSettings = paper_stage(known_architecture("skymoe-13b"), "stage2")
    assert parameters(small).total < parameters(STAGE2).total < parameters(large).total
    assert arithmetic(small).forward < arithmetic(STAGE2).forward < arithmetic(large).forward
