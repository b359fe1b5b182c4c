"""An adapted linear layer is PEFT's LoRA, for E experts at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skymoe.models.rsmoe.adapters import AdaptedLinear, adapt


def test_each_expert_is_a_lora_of_peft() -> None:
    peft = pytest.importorskip("peft", reason="PEFT is an optional extra")
    torch.manual_seed(0)
    layer = AdaptedLinear(6, 5, bias=True, experts=3, rank=2, alpha=7)
    x = torch.randn(4, 3, 8, 6)
    nn.init.normal_(layer.lora_b)
    ours = layer(x.flatten(0, 1)).unflatten(0, (4, 3))
    for expert in range(3):
        base = nn.Sequential(nn.Linear(6, 5))
        base.load_state_dict({"0.weight": layer.weight, "0.bias": layer.bias})
        theirs = peft.get_peft_model(base, peft.LoraConfig(r=2, lora_alpha=7, target_modules=["0"]))
        lora = theirs.base_model.model[0]
        lora.lora_A.default.weight.data = layer.lora_a[expert].data
        lora.lora_B.default.weight.data = layer.lora_b[expert].data
        torch.testing.assert_close(ours[:, expert], theirs(x[:, expert]))


def test_a_fresh_adapter_changes_nothing_and_keeps_the_weights() -> None:
    decoder = nn.ModuleDict({"q_proj": nn.Linear(6, 5), "o_proj": nn.Linear(5, 6)})
    x = torch.randn(6, 2, 6)
    before = decoder["q_proj"](x)
    names = set(decoder.state_dict())
    assert adapt(decoder, ["q_proj"], experts=2, rank=2, alpha=4) == ["q_proj"]
    assert torch.equal(decoder["q_proj"](x), before)
    assert set(decoder.state_dict()) == names | {"q_proj.lora_a", "q_proj.lora_b"}


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no linear layer 'v_proj'; it has \['q_proj'\]"):
        adapt(nn.ModuleDict({"q_proj": nn.Linear(6, 5)}), ["q_proj", "v_proj"], 2, 2, 4)
