"""Interpolated position embeddings: closed forms, the class token, and run time = permanent."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skymoe.models.positions import interpolate_position_embedding
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle

from .tiny_models import SIDE, pixels, question, skymoe


def cubic_matrix(old: int, new: int, a: float = -0.75) -> np.ndarray:
    """(new, old) weights of bicubic resizing along one axis, written from its definition, borders repeated."""

    def kernel(t: float) -> float:
        t = abs(t)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    weights = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * old / new - 0.5
        for j in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            weights[i, min(max(j, 0), old - 1)] += kernel(centre - j)
    return weights


@pytest.mark.parametrize(("old", "new"), [(24, 36), (3, 7), (5, 2)])
def test_bicubic_by_its_definition(old: int, new: int) -> None:
    grid = np.random.default_rng(0).normal(size=(old, old, 6))
    weight = torch.tensor(grid.reshape(old * old, 6), dtype=torch.float32)
    got = interpolate_position_embedding(torch.cat([torch.ones(1, 6), weight]), new)
    matrix = cubic_matrix(old, new)
    wanted = np.einsum("yi,xj,ijd->yxd", matrix, matrix, grid).reshape(new * new, 6)
    assert got.shape == (1 + new * new, 6)
    np.testing.assert_allclose(got[1:].numpy(), wanted, atol=1e-5)


def test_a_ramp_stays_a_ramp_inside() -> None:
    """24 → 36: a plane is reproduced at the patches' true centres, but for the ripple −(2a+1)·t(1−t)(1−2t) that a cubic
    kernel with a = −0.75 adds between two samples, t being the way from one to the next."""
    row, column = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    ramp = torch.stack([2 * row - column], -1).reshape(576, 1)
    got = interpolate_position_embedding(torch.cat([torch.zeros(1, 1), ramp]), 36)[1:].reshape(36, 36)
    centre = (torch.arange(36.0) + 0.5) * 24 / 36 - 0.5
    way = centre - centre.floor()
    along = centre + 0.5 * way * (1 - way) * (1 - 2 * way)
    wanted = 2 * along[:, None] - along[None]
    torch.testing.assert_close(got[3:-3, 3:-3], wanted[3:-3, 3:-3], rtol=0, atol=1e-4)


def test_constant_stays_constant_and_class_token_is_kept() -> None:
    weight = torch.full((577, 4), 0.25)
    weight[0] = torch.tensor([1.0, 2, 3, 4])
    got = interpolate_position_embedding(weight, 36)
    assert torch.equal(got[0], weight[0])
    torch.testing.assert_close(got[1:], torch.full((1296, 4), 0.25))


@settings(max_examples=20, deadline=None)
@given(side=st.integers(1, 9), prefix=st.integers(0, 2), seed=st.integers(0, 999))
def test_same_size_is_the_same(side: int, prefix: int, seed: int) -> None:
    weight = torch.randn(prefix + side * side, 3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(interpolate_position_embedding(weight, side, prefix_tokens=prefix), weight)


def test_half_precision_is_computed_in_float32() -> None:
    weight = torch.randn(17, 4).bfloat16()
    got = interpolate_position_embedding(weight, 6)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(
        got, interpolate_position_embedding(weight.float(), 6).bfloat16(), rtol=0, atol=0
    )


def test_rectangles_and_no_grid() -> None:
    assert interpolate_position_embedding(torch.randn(16, 3), (2, 5), prefix_tokens=0).shape == (10, 3)
    with pytest.raises(ValueError, match="577 rows is not 0"):
        interpolate_position_embedding(torch.randn(577, 3), 36, prefix_tokens=0)
    with pytest.raises(ValueError, match="1 rows"):
        interpolate_position_embedding(torch.randn(1, 3), 36)


FULL = {"vision_feature_select_strategy": "full", "vision_feature_layer": -1}
LITE = {"model_type": "efficientnet_lite_vision", "image_size": 64, "fine_strides": [16]}


@pytest.mark.parametrize(
    ("changes", "side", "tokens"),
    [
        ({}, 2 * SIDE, 16),
        ({"vision": {"model_type": "siglip_vision_model"}, **FULL}, 3 * SIDE, 36),
        ({"vision": LITE, **FULL}, 96, 9),
    ],
    ids=["clip", "siglip", "efficientnet_lite"],
)
@torch.no_grad()
def test_interpolated_at_run_time_equals_permanently(tmp_path, changes: dict, side: int, tokens: int) -> None:
    model = skymoe(num_experts=0, **changes)
    model.save_pretrained(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "large", num_experts=0, image_size=side)
    assert (result.image_size, result.image_tokens) == (side, tokens)
    large = SkyMoeForConditionalGeneration.from_pretrained(tmp_path / "large").eval()
    assert large.config.vision_config.image_size == side
    (table,) = [p for name, p in large.named_parameters() if "position_embedding" in name]
    assert len(table) == tokens + (not changes)  # and CLIP's class token
    inputs = {"input_ids": question(6, image_tokens=tokens), "pixel_values": pixels(side=side)}
    torch.testing.assert_close(large(**inputs).logits, model(**inputs).logits, rtol=1e-4, atol=1e-5)
