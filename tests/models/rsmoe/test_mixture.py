"""What the mixture of experts is: identical experts are one language model; others are combined by their weights."""

from __future__ import annotations

import pytest
import torch
from transformers.cache_utils import DynamicCache

from skymoe.models.rsmoe import Encoded, RsMoeForConditionalGeneration
from skymoe.models.rsmoe.streams import mixture

from ..tiny_models import pixels
from .tiny_rsmoe import instruction, prompt, rsmoe, rsmoe_config


@pytest.fixture(scope="module")
def model() -> RsMoeForConditionalGeneration:
    return rsmoe()


def identical(model: RsMoeForConditionalGeneration) -> tuple[Encoded, RsMoeForConditionalGeneration]:
    """An input that is the same for every expert, and the single language model that all experts then are."""
    single = RsMoeForConditionalGeneration(rsmoe_config(experts=False)).eval()
    state = {name: value for name, value in model.state_dict().items() if "lora" not in name}
    result = single.load_state_dict(state, strict=False)
    assert not result.missing_keys
    assert all(".router." in name for name in result.unexpected_keys)
    with torch.no_grad():
        encoded = model.encode(pixels(2), instruction().expand(2, -1))
    same = encoded.prompts[:, :1].expand(-1, 3, -1, -1)
    return Encoded(encoded.visual, same, torch.full((2, 3), 1 / 3), encoded.word_logits), single


@torch.no_grad()
def test_identical_experts_under_uniform_weights_are_the_single_language_model() -> None:
    model = rsmoe()
    for name, parameter in model.named_parameters():
        if name.endswith("lora_b"):
            parameter.zero_()
    encoded, single = identical(model)
    ids = torch.cat([prompt(model.config, seed=seed) for seed in (1, 2)])
    findings = model.find(encoded, [[[0], [], []], [[], [], []]])
    embeds_BSD = model.model.place(ids, encoded, findings)[:, 0]
    given = {
        "visual_embeds": encoded.visual,
        "soft_prompts": encoded.prompts,
        "expert_weights": encoded.weights,
        "findings": findings,
    }
    ours = model(input_ids=ids, **given).logits
    theirs = single(inputs_embeds=embeds_BSD).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)

    said = {"max_new_tokens": 8, "min_new_tokens": 8}
    for search in ({}, {"num_beams": 3}):
        answers = model.generate(ids, **given, **said, **search)[:, ids.shape[1] :]
        assert torch.equal(answers, single.generate(inputs_embeds=embeds_BSD, **said, **search))


@torch.no_grad()
def test_the_mixture_is_the_weighted_sum_of_the_experts_distributions(
    model: RsMoeForConditionalGeneration,
) -> None:
    logits = torch.randn(2, 4, 3, 7)
    weights = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    expected = (weights[:, None, :, None] * logits.softmax(-1)).sum(-2).log()
    torch.testing.assert_close(mixture(logits, weights), expected)
    torch.testing.assert_close(mixture(logits[:, -1], weights), expected[:, -1])

    encoded = model.encode(pixels(2), instruction().expand(2, -1))
    ids = torch.cat([prompt(model.config, seed=seed) for seed in (1, 2)])
    hidden = model.model(model.model.place(ids, encoded, model.find(encoded))).last_hidden_state
    probabilities = model.lm_head(hidden).softmax(-1)
    assert (probabilities[:, -1, 0] - probabilities[:, -1, 1]).abs().max() > 1e-3, "the experts differ"
    expected = torch.einsum("bsev,be->bsv", probabilities, encoded.weights).log()
    torch.testing.assert_close(model.logits(hidden, encoded.weights), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_experts_in_one_batch_are_what_each_is_alone(model: RsMoeForConditionalGeneration) -> None:
    """The stream of expert e equals a decoder into which the weights of e are merged."""
    lm = model.model.language_model
    embeds = torch.randn(2, 3, 6, 32)
    hidden = lm(embeds).last_hidden_state
    for expert in range(3):
        merged = rsmoe(experts=False).model.language_model
        state = {k: v.clone() for k, v in lm.state_dict().items() if "lora" not in k}
        for name, a in lm.state_dict().items():
            if name.endswith("lora_a"):
                layer = name.removesuffix(".lora_a")
                b = lm.state_dict()[f"{layer}.lora_b"]
                state[f"{layer}.weight"] += 2 * b[expert] @ a[expert]
        merged.load_state_dict(state)
        alone = merged(embeds[:, expert]).last_hidden_state
        torch.testing.assert_close(hidden[:, :, expert], alone[:, :, 0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_cache_folds_the_experts_into_its_heads(model: RsMoeForConditionalGeneration) -> None:
    lm, cache = model.model.language_model, DynamicCache()
    embeds = torch.randn(2, 3, 5, 32)
    whole = lm(embeds).last_hidden_state
    lm(embeds[:, :, :3], cache=cache, use_cache=True)
    assert cache.layers[0].keys.shape == (2, 3 * 2, 3, 8)
    cache.reorder_cache(torch.tensor([1, 0]))
    rest = lm(embeds[[1, 0], :, 3:], cache=cache, use_cache=True).last_hidden_state
    torch.testing.assert_close(rest, whole[[1, 0], 3:], rtol=1e-4, atol=1e-5)
