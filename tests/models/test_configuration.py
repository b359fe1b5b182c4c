"""Which layers have experts, and which wishes are refused."""

import pytest
from transformers import AutoConfig

from skymoe.models.skymoe import SkyMoeConfig

from .tiny_models import skymoe, skymoe_config


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({}, [0, 2]),
        ({"moe_layer_offset": 1}, [1, 3]),
        ({"moe_layer_interval": 1}, [0, 1, 2, 3]),
        ({"moe_layer_interval": 3}, [0, 3]),
        ({"moe_layers": [3, 1, 1]}, [1, 3]),
        ({"moe_layers": [2], "moe_layer_interval": 1}, [2]),
        ({"num_experts": 0}, []),
    ],
)
def test_expert_layers(changes: dict, layers: list[int]) -> None:
    assert skymoe_config(**changes).expert_layers == layers
    decoder = skymoe(**changes).model.language_model
    assert [i for i, layer in enumerate(decoder.layers) if hasattr(layer.mlp, "experts")] == layers


def test_the_papers_seven_billion_has_sixteen_expert_layers() -> None:
    assert SkyMoeConfig(text_config={"num_hidden_layers": 32}).expert_layers == list(range(0, 32, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"moe_layers": [4]}, r"moe_layers=\[4\] names layers outside 0…3"),
        ({"moe_layers": []}, "no layer"),
        ({"moe_layer_offset": 4}, "moe_layer_offset=4"),
        ({"moe_layer_interval": 0}, "moe_layer_interval=0"),
        ({"moe_layer_offset": -1}, "moe_layer_offset=-1"),
        ({"num_experts_per_tok": 5}, "num_experts_per_tok=5 must lie between 1 and num_experts=4"),
        ({"num_experts_per_tok": 0}, "num_experts_per_tok=0"),
        ({"router_conditioning": "image"}, "router_conditioning='image'"),
        ({"router_aux_loss_reduction": "max"}, "router_aux_loss_reduction='max'"),
    ],
)
def test_impossible_wishes(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        skymoe_config(**changes)


def test_configuration_round_trip(tmp_path) -> None:
    config = skymoe_config(moe_layers=[1], norm_topk_prob=False, router_conditioning="instruction")
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(again, SkyMoeConfig)
    written = again.to_dict() | {"_name_or_path": "", "transformers_version": None}
    assert written == config.to_dict() | {"transformers_version": None}
