"""The coordinate loss prefers near misses, and adds nothing where no coordinate is asked for."""

import pytest
import torch

from skymoe.train.coordinates import CoordinateLoss

TOKENS = list(range(50, 151))  # <0> … <100>


def certain(coordinate: int) -> torch.Tensor:
    logits = torch.zeros(1, 200)
    logits[0, TOKENS[coordinate]] = 8.0
    return logits


def test_the_nearer_the_smaller() -> None:
    loss = CoordinateLoss(TOKENS, sigma=1.5)
    label = torch.tensor([TOKENS[40]])
    at = [loss(certain(guess), label).item() for guess in (40, 41, 42, 45)]
    assert at == sorted(at)
    assert at[0] < at[1] < at[2]


def test_the_target_is_a_bell_that_sums_to_one_even_at_the_edge() -> None:
    targets = CoordinateLoss(TOKENS, sigma=1.5).targets
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(101))
    assert targets[0].argmax() == 0
    assert targets[100].argmax() == 100


def test_other_tokens_count_in_the_denominator_alone() -> None:
    loss = CoordinateLoss(TOKENS, sigma=1.5)
    alone = loss(certain(40), torch.tensor([TOKENS[40]]))
    logits = torch.cat([certain(40), torch.randn(3, 200)])
    beside = loss(logits, torch.tensor([TOKENS[40], 7, 8, 9]))
    assert beside.item() == pytest.approx(alone.item() / 4)
    assert loss(torch.randn(2, 200), torch.tensor([7, 8])).item() == 0.0
