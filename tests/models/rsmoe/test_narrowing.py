"""Reading wide tower features through one narrow projection."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from skymoe.models.rsmoe import RsMoeForConditionalGeneration
from skymoe.models.rsmoe.narrowing import narrowed

from .tiny_rsmoe import rsmoe

WIDE = 24
INSTRUCTION = torch.tensor([[5, 6, 7]])


def features(rank: int, seed: int, pictures: int = 40) -> Tensor:
    """(pictures, 4, WIDE) of a space of `rank` dimensions, the same for all seeds."""
    basis = torch.randn(rank, WIDE, generator=torch.Generator().manual_seed(0))
    return torch.randn(pictures, 4, rank, generator=torch.Generator().manual_seed(seed)) @ basis


def wide_model() -> RsMoeForConditionalGeneration:
    model = rsmoe(experts=False)
    assert model.config.vision_config.hidden_size == WIDE, "the tiny tower changed: set WIDE"
    return model.eval()


@torch.no_grad()
def read(model: RsMoeForConditionalGeneration, seen: Tensor) -> Tensor:
    return model.model.encode(INSTRUCTION.expand(len(seen), -1), tower_features=seen).visual


def test_nothing_is_lost_where_the_features_need_no_more() -> None:
    model = wide_model()
    less = narrowed(model, [features(rank=4, seed=1)], width=4)
    unseen = features(rank=4, seed=2)
    torch.testing.assert_close(read(less, unseen), read(model, unseen), atol=1e-4, rtol=1e-4)


def test_the_narrower_the_farther_off() -> None:
    model, taught, unseen = wide_model(), features(rank=12, seed=1), features(rank=12, seed=2)
    off = [
        (read(narrowed(model, [taught], width), unseen) - read(model, unseen)).norm().item()
        for width in (1, 6, 12)
    ]
    assert off[0] > off[1] > 10 * off[2]


def test_it_keeps_more_than_the_first_components_of_the_features_would() -> None:
    # What the keys and values do not ask for must not take up the width: here the loudest directions.
    model, taught = wide_model(), features(rank=WIDE, seed=1)
    readers = [m for n, m in model.named_modules() if n.endswith(("attention.key", "attention.value"))]
    loud = 100 * torch.randn(40, 4, 2, generator=torch.Generator().manual_seed(3)) @ torch.eye(WIDE)[:2]
    with torch.no_grad():
        for reader in readers:
            if reader.weight.shape[1] == WIDE:
                reader.weight[:, :2] = 0
    taught, quiet = taught + loud, features(rank=WIDE, seed=2)
    deaf = narrowed(model, [taught], width=WIDE - 2)
    torch.testing.assert_close(read(deaf, quiet), read(model, quiet), atol=1e-3, rtol=1e-3)


def test_it_is_smaller_and_comes_back_from_its_folder(tmp_path: Path) -> None:
    model = wide_model()
    less = narrowed(model, [features(rank=8, seed=1)], width=8).eval()
    assert less.num_parameters() < model.num_parameters()
    less.save_pretrained(tmp_path)
    again = RsMoeForConditionalGeneration.from_pretrained(tmp_path).eval()
    seen = features(rank=8, seed=2)
    assert torch.equal(read(again, seen), read(less, seen))


@pytest.mark.parametrize("width", [0, WIDE, WIDE + 1])
def test_a_width_that_is_none(width: int) -> None:
    with pytest.raises(ValueError, match=f"feature width {width}: give a number below {WIDE}"):
        narrowed(wide_model(), [features(rank=4, seed=1)], width)


def test_once_is_enough() -> None:
    less = narrowed(wide_model(), [features(rank=4, seed=1)], width=8)
    with pytest.raises(ValueError, match="not narrowed yet"):
        narrowed(less, [features(rank=4, seed=1)], width=4)
