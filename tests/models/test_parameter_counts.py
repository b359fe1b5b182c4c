"""The full 7B configuration, counted on the meta device and, independently, by hand in integers."""

import pytest
import torch

from skymoe.models.skymoe import SkyMoeConfig, SkyMoeForConditionalGeneration, activated_parameters

# Vicuna-7B
D, F, LAYERS, VOCABULARY = 4096, 11008, 32, 32000
FFN, ATTENTION = 3 * D * F, 4 * D * D
LLM = 2 * VOCABULARY * D + LAYERS * (ATTENTION + FFN + 2 * D) + D
# CLIP-L/14: width, FFN, layers
V, W, DEPTH, PATCH = 1024, 4096, 24, 14
ADAPTOR = (V * D + D) + (D * D + D)
EXPERT_LAYERS = 16


def tower(side: int) -> int:
    linear = [(V, V)] * 4 + [(V, W), (W, V)]
    block = sum(a * b + b for a, b in linear) + 2 * 2 * V
    embeddings = V + 3 * PATCH**2 * V + (1 + (side // PATCH) ** 2) * V
    return embeddings + DEPTH * block + 2 * 2 * V  # layer norms before and after the blocks


def model(experts: int, side: int = 504) -> SkyMoeForConditionalGeneration:
    text = {"model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": D, "intermediate_size": F}
    text |= {"num_hidden_layers": LAYERS, "num_attention_heads": 32}
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": V,
        "intermediate_size": W,
        "patch_size": PATCH,
    }
    vision |= {"num_hidden_layers": DEPTH, "num_attention_heads": 16, "image_size": side}
    config = SkyMoeConfig(text_config=text, vision_config=vision, num_experts=experts)
    with torch.device("meta"):
        return SkyMoeForConditionalGeneration(config)


def count(module: torch.nn.Module, part: str = "") -> int:
    return sum(p.numel() for name, p in module.named_parameters() if part in name)


def test_parts_of_the_dense_model() -> None:
    assert FFN == 135_266_304
    assert ATTENTION == 67_108_864
    assert LLM == 6_738_415_616
    dense = model(0)
    assert count(dense, "vision_tower") == tower(504) == 304_244_736
    assert count(dense, "multi_modal_projector") == ADAPTOR == 20_979_712
    assert count(dense, "language_model") + count(dense, "lm_head") == LLM
    assert count(dense) == activated_parameters(dense, dense.config) == LLM + tower(504) + ADAPTOR
    assert round(count(dense) / 1e9, 3) == 7.064
    assert round(count(model(0, side=336)) / 1e9, 3) == 7.063


@pytest.mark.parametrize(("experts", "total"), [(4, 13.56), (6, 17.89), (8, 22.214)])
def test_total_activated_and_experts(experts: int, total: float) -> None:
    sparse = model(experts)
    routers = EXPERT_LAYERS * experts * D
    expected = LLM + tower(504) + ADAPTOR + EXPERT_LAYERS * (experts - 1) * FFN + routers
    assert count(sparse) == expected
    assert round(expected / 1e9, 3 if experts == 8 else 2) == total
    activated = (
        LLM + tower(504) + ADAPTOR + EXPERT_LAYERS * FFN + routers
    )  # one FFN more than the dense model
    assert activated_parameters(sparse, sparse.config) == activated
    if experts == 8:
        assert round(activated / 1e9, 3) == 9.228
        moe = count(sparse, ".mlp.experts.") + count(sparse, ".mlp.router.")
        assert moe == EXPERT_LAYERS * 8 * FFN + routers
        assert round(moe / 1e9, 3) == 17.315
        assert round(2 * expected / 2**30, 1) == 41.4  # GiB of bfloat16 weights
