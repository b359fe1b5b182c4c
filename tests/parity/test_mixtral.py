"""The sparse block is Transformers' Mixtral block: same outputs and gradients, whichever kernel computes."""

import pytest
import torch
from torch import Tensor
from transformers import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock, load_balancing_loss_func

from models.tiny_models import IMPLEMENTATIONS, TEXT, skymoe_config
from skymoe.models.moe import SparseMoeBlock, balance_loss, total_balance_loss


def blocks(ours_by: str, theirs_by: str = "eager") -> tuple[SparseMoeBlock, MixtralSparseMoeBlock]:
    torch.manual_seed(0)
    config = skymoe_config(num_experts=4, num_experts_per_tok=2)
    config._experts_implementation_internal = ours_by
    sizes = {key: TEXT[key] for key in ("hidden_size", "intermediate_size")}
    mixtral = MixtralConfig(**sizes, num_local_experts=4, num_experts_per_tok=2, router_jitter_noise=0.0)
    mixtral._experts_implementation_internal = theirs_by
    ours, theirs = SparseMoeBlock(config), MixtralSparseMoeBlock(mixtral)
    theirs.load_state_dict({name.replace("router.", "gate."): w for name, w in ours.state_dict().items()})
    return ours, theirs


def gradients(block: torch.nn.Module, x: Tensor) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    (block(x) * torch.linspace(-1, 1, x.numel()).view_as(x)).sum().backward()
    named = {n.replace("gate.weight", "router.weight"): p.grad for n, p in block.named_parameters()}
    return {**named, "input": x.grad}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_same_output_as_mixtral(implementation: str) -> None:
    ours, theirs = blocks(implementation)
    x = torch.randn(3, 7, 32)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_same_gradients_as_mixtral(implementation: str) -> None:
    ours, theirs = blocks(implementation)
    x = torch.randn(3, 7, 32)
    mine, wanted = gradients(ours, x), gradients(theirs, x)
    assert mine.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(
            mine[name], gradient, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_experts_that_no_token_chose_get_no_gradient() -> None:
    ours, _ = blocks("eager")
    with torch.no_grad():
        ours.router.weight.zero_()
        ours.router.weight[:2, 0] = 5.0
    x = torch.randn(1, 5, 32)
    x[..., 0] = 1.0
    ours(x).sum().backward()
    assert ours.experts.down_proj.grad[:2].abs().sum() > 0
    assert ours.experts.down_proj.grad[2:].abs().sum() == 0


def test_mixtral_loss_counts_every_choice_ours_the_first() -> None:
    """For top-1 the two losses agree; balanced, theirs is top_k: the same coefficient is as much stronger."""
    logits = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(balance_loss(logits), load_balancing_loss_func((logits,), 4, top_k=1))
    balanced = torch.eye(4).repeat(16, 1) * 20 + torch.eye(4).roll(1, 1).repeat(16, 1) * 19.9
    assert balance_loss(balanced).item() == pytest.approx(1.0, abs=1e-3)
    assert load_balancing_loss_func((balanced,), 4, top_k=2).item() == pytest.approx(2.0, abs=1e-3)


def test_mixtral_pools_layers_before_the_product_ours_after() -> None:
    """Two layers collapsed on different experts look balanced when pooled; each layer on its own is not."""
    collapsed = [torch.zeros(8, 4), torch.zeros(8, 4)]
    collapsed[0][:, 0] = collapsed[1][:, 1] = 50.0
    assert total_balance_loss(collapsed).item() == pytest.approx(4.0, abs=1e-3)
    assert load_balancing_loss_func(tuple(collapsed), 4, top_k=1).item() == pytest.approx(2.0, abs=1e-3)
