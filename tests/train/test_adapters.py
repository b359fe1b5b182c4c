"""Adapters: nothing changes when they are put in, merged they compute what they computed apart."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.train.adapters import add_adapters, merge
from skymoe.train.recipe import Lora

pytest.importorskip("peft", reason="the extra train")
EXPERTS = ["experts.gate_up_proj", "experts.down_proj"]


@pytest.fixture(scope="module")
def sparse(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upcycled") / "model"
    upcycle(tiny / "llava", folder, num_experts=4)
    return folder


def load(folder: Path, dtype: torch.dtype = torch.float32) -> SkyMoeForConditionalGeneration:
    return SkyMoeForConditionalGeneration.from_pretrained(folder, dtype=dtype).eval()


def logits(model: SkyMoeForConditionalGeneration) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    image = model.config.image_token_id
    ids = torch.cat([torch.full((2, 4), image), torch.randint(300, 400, (2, 9), generator=generator)], dim=1)
    pixels = torch.randn(2, 3, 28, 28, generator=generator)
    with torch.no_grad():
        return model(input_ids=ids, pixel_values=pixels.to(model.dtype)).logits


def learnt(model: SkyMoeForConditionalGeneration) -> None:
    """As after a long training: adapters far from their start."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], "linear", EXPERTS, ["o_proj", *EXPERTS]])
def test_merged_equals_unmerged(sparse: Path, targets: list[str] | str) -> None:
    model = load(sparse)
    names, before = set(model.state_dict()), logits(model)
    tuner = add_adapters(model, Lora(rank=4, dropout=0.0, targets=targets))
    torch.testing.assert_close(logits(model), before, rtol=0, atol=0, msg="new adapters add nothing")
    learnt(model)
    apart = logits(model)
    assert (apart - before).abs().max() > 0.1
    merged = merge(tuner)
    torch.testing.assert_close(logits(merged), apart, rtol=1e-4, atol=1e-4)
    assert set(merged.state_dict()) == names, "no trace of the adapters"
    assert type(merged) is SkyMoeForConditionalGeneration


def test_the_paper_s_adapters_are_two_of_rank_64_a_layer(sparse: Path) -> None:
    model = load(sparse)
    add_adapters(model, Lora())
    learning = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    assert sum(learning.values()) == 4 * 2 * 64 * (32 + 32)
    assert all(".self_attn.q_proj.lora" in name or ".self_attn.v_proj.lora" in name for name in learning)
    assert not any("vision_tower" in name for name in learning), "the tower names its projections alike"


def test_adapters_learn_in_float32_on_a_bfloat16_model(sparse: Path) -> None:
    model = load(sparse, torch.bfloat16)
    add_adapters(model, Lora(rank=4))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}


def test_every_expert_has_its_own_adapter(sparse: Path) -> None:
    model = load(sparse)
    tuner = add_adapters(model, Lora(rank=2, dropout=0.0, targets=EXPERTS))
    learnt(model)
    experts = merge(tuner).model.language_model.layers[0].mlp.experts
    assert (experts.gate_up_proj[0] - experts.gate_up_proj[1]).abs().max() > 0.01, (
        "clones before, different now"
    )


def test_a_target_that_the_model_lacks_is_named(tiny: Path, tmp_path: Path) -> None:
    upcycle(tiny / "llava", tmp_path / "dense", num_experts=0)
    with pytest.raises(UserError, match=r"no experts\.down_proj"):
        add_adapters(load(tmp_path / "dense"), Lora(rank=2, dropout=0.0, targets=["experts.down_proj"]))


def test_a_merged_model_loads_as_any(sparse: Path, tmp_path: Path) -> None:
    model = load(sparse)
    tuner = add_adapters(model, Lora(rank=4, targets="linear"))
    learnt(model)
    merged = merge(tuner)
    merged.save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32).eval()
    torch.testing.assert_close(logits(again), logits(merged))
