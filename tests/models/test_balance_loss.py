"""The balance loss (Eq. 7 and 8): 1 when balanced, E when collapsed, blind to padding, pushing the right way."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from skymoe.models.moe import balance_loss, total_balance_loss

from .tiny_models import answer_labels, left_padded, pixels, question, skymoe


@pytest.mark.parametrize("experts", [2, 4, 8])
def test_one_at_uniform_and_number_of_experts_when_collapsed(experts: int) -> None:
    uniform = (
        torch.eye(experts).repeat(5, 1) * 1e-3
    )  # every expert first equally often, probabilities nearly 1/E
    assert balance_loss(uniform).item() == pytest.approx(1.0, abs=1e-5)
    collapsed = torch.zeros(10, experts)
    collapsed[:, 1] = 100.0
    assert balance_loss(collapsed).item() == pytest.approx(experts, abs=1e-4)


def test_by_hand() -> None:
    logits = torch.tensor([[2.0, 1, 0], [2, 0, 1], [0, 3, 1], [1, 0, 0]])
    probabilities = logits.softmax(-1)
    fraction = torch.tensor([3 / 4, 1 / 4, 0])
    wanted = 3 * (fraction * probabilities.mean(0)).sum()
    torch.testing.assert_close(balance_loss(logits), wanted)


def test_a_step_down_moves_probability_away_from_the_overloaded_expert() -> None:
    logits = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    logits[:, 2] += 1.0
    logits.requires_grad_()
    loss = balance_loss(logits)
    (gradient,) = torch.autograd.grad(loss, logits)
    before, after = logits.softmax(-1).mean(0), (logits - 5 * gradient).softmax(-1).mean(0)
    assert before.argmax() == 2
    assert after[2] < before[2]
    assert balance_loss(logits - 5 * gradient) < loss


def test_gradient_flows_through_probabilities_alone() -> None:
    logits = torch.randn(8, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(balance_loss(logits), logits)
    fraction = F.one_hot(logits.argmax(-1), 4).float().mean(0).detach()
    (wanted,) = torch.autograd.grad(4 * (fraction * logits.softmax(-1).mean(0)).sum(), logits)
    torch.testing.assert_close(gradient, wanted)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), tokens=st.integers(2, 20), padded=st.integers(1, 10))
def test_masked_tokens_count_in_nothing(seed: int, tokens: int, padded: int) -> None:
    logits = torch.randn(tokens + padded, 4, generator=torch.Generator().manual_seed(seed)) * 3
    mask = torch.arange(tokens + padded) < tokens
    torch.testing.assert_close(balance_loss(logits, mask), balance_loss(logits[:tokens]))
    torch.testing.assert_close(balance_loss(logits, torch.ones(tokens + padded)), balance_loss(logits))


def test_nothing_but_padding_is_zero_not_nan() -> None:
    assert balance_loss(torch.randn(4, 4), torch.zeros(4)).item() == 0.0


def test_layers_are_averaged_or_summed() -> None:
    layers = [torch.randn(6, 4) for _ in range(3)]
    each = torch.stack([balance_loss(layer) for layer in layers])
    torch.testing.assert_close(total_balance_loss(layers), each.mean())
    torch.testing.assert_close(total_balance_loss(layers, reduction="sum"), each.sum())


@torch.no_grad()
def test_padding_of_a_batch_is_not_counted_by_the_model() -> None:
    model = skymoe()
    short, long = question(6, 1), question(12, 2)
    batch = left_padded([short, long]) | {"pixel_values": pixels(2)}
    padded = model(**batch, labels=answer_labels(batch["input_ids"]), output_router_logits=True)
    singles = [
        model(input_ids=ids, pixel_values=pixels(2)[i : i + 1], output_router_logits=True)
        for i, ids in enumerate((short, long))
    ]
    joined = [torch.cat(layers) for layers in zip(*(s.router_logits for s in singles), strict=True)]
    torch.testing.assert_close(padded.aux_loss, total_balance_loss(joined), rtol=1e-4, atol=1e-5)
    without_mask = total_balance_loss(padded.router_logits)
    assert abs(without_mask - padded.aux_loss) > 1e-3


@torch.no_grad()
def test_padding_changes_nothing_for_a_question_alone() -> None:
    model = skymoe()
    ids = question(8)
    padded = left_padded([ids, question(14)])
    first = {name: value[:1] for name, value in padded.items()}
    wanted = model(input_ids=ids, pixel_values=pixels(), labels=answer_labels(ids))
    got = model(**first, pixel_values=pixels(), labels=answer_labels(first["input_ids"]))
    torch.testing.assert_close(got.aux_loss, wanted.aux_loss, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.loss, wanted.loss, rtol=1e-4, atol=1e-5)
