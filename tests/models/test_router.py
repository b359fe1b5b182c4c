"""The token router (Eq. 3 and 4): float32 softmax, top-k, weights that sum to one."""

import pytest
import torch
from torch import Tensor

from skymoe.models.moe import SparseMoeBlock, TokenRouter, expert_load, record_routing

from .tiny_models import IMPLEMENTATIONS, skymoe, skymoe_config


def router(**changes) -> TokenRouter:
    torch.manual_seed(0)
    return TokenRouter(16, num_experts=6, top_k=2, init_std=0.5, **changes)


def test_equations_3_and_4() -> None:
    plain = router(normalize=False)
    x = torch.randn(2, 5, 16)
    logits, weights, experts = plain(x)
    wanted = (x.flatten(0, 1) @ plain.weight.T).softmax(-1)
    torch.testing.assert_close(logits, x.flatten(0, 1) @ plain.weight.T)
    torch.testing.assert_close(weights, wanted.sort(descending=True).values[:, :2])
    assert experts.tolist() == wanted.sort(descending=True).indices[:, :2].tolist()
    assert (weights.sum(-1) < 1).all()


def test_renormalised_weights_sum_to_one_and_keep_their_ratio() -> None:
    x = torch.randn(2, 5, 16)
    _, printed, _ = router(normalize=False)(x)
    _, weights, _ = router()(x)
    torch.testing.assert_close(weights.sum(-1), torch.ones(10))
    torch.testing.assert_close(weights[:, 0] / weights[:, 1], printed[:, 0] / printed[:, 1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_routes_in_float32(dtype: torch.dtype) -> None:
    half = router().to(dtype)
    x = torch.randn(2, 5, 16, dtype=dtype)
    logits, weights, _ = half(x)
    assert logits.dtype == torch.float32
    assert weights.dtype == dtype
    torch.testing.assert_close(logits, x.flatten(0, 1).float() @ half.weight.float().T, rtol=1e-6, atol=1e-6)


def test_autocast_does_not_round_the_router() -> None:
    plain = router()
    x = torch.randn(2, 5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = plain(x)[0]
    torch.testing.assert_close(logits, plain(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_block_under_autocast_and_in_half_precision(implementation: str) -> None:
    torch.manual_seed(0)
    config = skymoe_config()
    config._experts_implementation_internal = implementation
    block = SparseMoeBlock(config)
    x = torch.randn(2, 5, 32)
    wanted = block(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(block(x).float(), wanted, rtol=0.1, atol=0.02)
    half = block.bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), wanted, rtol=0.1, atol=0.02)


def test_tokens_do_not_see_each_other() -> None:
    """Dropless: a token's output does not depend on which tokens come with it."""
    torch.manual_seed(0)
    block = SparseMoeBlock(skymoe_config())
    x = torch.randn(3, 8, 32)
    alone = torch.stack([torch.cat([block(t.view(1, 1, -1))[0] for t in row]) for row in x])
    torch.testing.assert_close(block(x), alone, rtol=1e-5, atol=1e-6)


def test_instruction_term_starts_at_zero_and_shifts_all_tokens_of_a_sample_alike() -> None:
    plain, conditioned = router(), router(conditioned=True)
    conditioned.load_state_dict(plain.state_dict(), strict=False)
    x, instruction = torch.randn(2, 5, 16), torch.randn(2, 16)
    conditioned.instruction_BD = instruction
    torch.testing.assert_close(conditioned(x)[0], plain(x)[0], rtol=0, atol=0)
    torch.nn.init.normal_(conditioned.instruction_weight)
    shift: Tensor = (conditioned(x)[0] - plain(x)[0]).view(2, 5, 6)
    torch.testing.assert_close(
        shift, (instruction @ conditioned.instruction_weight.T)[:, None].expand(2, 5, 6)
    )


def test_record_routing_collects_inside_the_block_alone() -> None:
    block = SparseMoeBlock(skymoe_config())
    x = torch.randn(1, 3, 32)
    with record_routing() as outer:
        block(x)
        with record_routing() as inner:
            block(x)
    block(x)
    assert (len(outer), len(inner)) == (1, 1)


def test_expert_load_is_a_share_of_choices() -> None:
    logits = torch.tensor([[9.0, 5, 0, 0], [9, 0, 5, 0], [0, 0, 5, 9]])
    torch.testing.assert_close(expert_load(logits, 2), torch.tensor([2, 1, 2, 1]) / 6)
    torch.testing.assert_close(
        expert_load(logits, 2, torch.tensor([1, 1, 0])), torch.tensor([2, 1, 1, 0]) / 4
    )


def test_experts_and_router_start_random_where_a_checkpoint_has_none(tmp_path) -> None:
    """Loading a dense checkpoint into a sparse model leaves no uninitialised memory behind."""
    skymoe(num_experts=0).save_pretrained(tmp_path)
    config = skymoe_config(router_conditioning="instruction")
    model, info = type(skymoe()).from_pretrained(tmp_path, config=config, output_loading_info=True)
    assert len(info["missing_keys"]) == 2 * 4
    for scores in model.model.routers():
        assert scores.weight.std().item() == pytest.approx(0.2, rel=0.3)
        assert scores.instruction_weight.abs().max() == 0
    for index in model.config.expert_layers:
        experts = model.model.language_model.layers[index].mlp.experts
        assert experts.gate_up_proj.std().item() == pytest.approx(0.2, rel=0.1)
        assert experts.down_proj.std().item() == pytest.approx(0.2, rel=0.1)
