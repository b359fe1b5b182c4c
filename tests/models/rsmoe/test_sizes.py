"""RS-MoE-1B, -3B and -7B are made of the parts that their makers publish, counted without memory."""

from __future__ import annotations

import pytest
import torch

from skymoe.errors import UserError
from skymoe.models.rsmoe import RsMoeForConditionalGeneration, known_config, parameter_counts

# Published totals: Llama-3.2-1B and -3B, Vicuna-7B and 64 more entries of the vocabulary on both sides.
DECODERS = {
    "rs-moe-1b": 1_235_814_400,
    "rs-moe-3b": 3_212_749_824,
    "rs-moe-7b": 6_738_415_616 + 2 * 64 * 4096,
}
# Sum of inputs and outputs of q, v, gate, up, down in one layer.
ADAPTED = {
    "rs-moe-1b": (2048 + 2048) + (2048 + 512) + 3 * (2048 + 8192),
    "rs-moe-3b": (3072 + 3072) + (3072 + 1024) + 3 * (3072 + 8192),
    "rs-moe-7b": 2 * (4096 + 4096) + 3 * (4096 + 11008),
}
LAYERS = {"rs-moe-1b": 16, "rs-moe-3b": 28, "rs-moe-7b": 32}


@pytest.mark.parametrize("name", DECODERS)
def test_parameters_by_part(name: str) -> None:
    config = known_config(name)
    with torch.device("meta"):
        model = RsMoeForConditionalGeneration(config)
        model.tie_weights()
    counts = parameter_counts(model)
    assert counts["decoder"] == DECODERS[name]
    assert counts["adapters"] == 3 * 16 * LAYERS[name] * ADAPTED[name]

    wide = 1408  # ViT-g/14 of 39 layers: patches, positions, class token, layers, last norm
    layer = 4 * wide * wide + 4 * wide + 2 * wide * 6144 + 6144 + wide + 4 * wide
    assert counts["tower"] == (3 * 14**2 * wide + wide) + 257 * wide + wide + 39 * layer + 2 * wide

    # BERT-base's 12 layers, each with an FFN more for the queries, every second with cross-attention to the tower.
    width, text = 768, config.text_config.hidden_size
    norm, ffn = 2 * width, 2 * 4 * width * width + 5 * width
    own = 4 * (width * width + width) + norm
    across = 2 * (width * width + width) + 2 * (wide * width + width) + norm
    embedded = (config.text_config.vocab_size + 512) * width + norm
    qformer = embedded + 12 * (own + 2 * (ffn + norm)) + 6 * across
    assert counts["encoder"] == qformer + 32 * width + width * text + text
    assert counts["router"] < 0.1 * counts["decoder"]
    assert counts["total"] == sum(p.numel() for p in model.parameters())


def test_stage_one_has_neither_router_nor_adapters() -> None:
    config = known_config("rs-moe-1b", experts=False)
    assert (config.num_experts, config.image_seq_length) == (0, 32)
    assert known_config("rs-moe-1b").image_seq_length == 32 + 8 + 3 * 32
    with pytest.raises(UserError, match="unknown size 'rs-moe-13b': choose rs-moe-1b"):
        known_config("rs-moe-13b")
