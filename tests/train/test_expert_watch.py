"""A dead expert is named once, with what helps; the living are not."""

import logging

import pytest
import torch

from skymoe.train.expert_watch import ExpertWatch


def alone(values: torch.Tensor) -> torch.Tensor:
    return values


def test_a_dead_expert_is_a_warning_with_a_remedy(caplog: pytest.LogCaptureFixture) -> None:
    watch = ExpertWatch([0, 2], "raise stages.1.balance (now 0.01)")
    for _ in range(3):
        watch.add([torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.25] * 4)])
    with caplog.at_level(logging.WARNING):
        assert watch.report(alone) == {"dead_experts": 2.0}
    assert len(caplog.records) == 2
    said = caplog.records[0].getMessage()
    assert "layer 0: expert 2" in said
    assert "raise stages.1.balance" in said
    assert "even: 25.0 %" in said


def test_it_is_said_once_until_it_lives_again(caplog: pytest.LogCaptureFixture) -> None:
    watch = ExpertWatch([4], "")
    dead, alive = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    said = []
    for load in (dead, dead, alive, dead):
        watch.add([load.clone()])
        caplog.clear()
        watch.report(alone)
        said.append(len(caplog.records))
    assert said == [1, 0, 0, 1]


def test_a_batch_without_an_expert_does_not_make_it_dead() -> None:
    watch = ExpertWatch([0], "")
    watch.add([torch.tensor([1.0, 0.0])])
    watch.add([torch.tensor([0.6, 0.4])])
    assert watch.report(alone) == {"dead_experts": 0.0}


def test_without_batches_nothing_is_logged() -> None:
    assert ExpertWatch([0], "").report(alone) == {}
