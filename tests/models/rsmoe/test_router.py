"""The Instruction Router: what it says depends on the picture and on the instruction, and on nothing else."""

from __future__ import annotations

import pytest
import torch

from skymoe.models.rsmoe import RsMoeForConditionalGeneration
from skymoe.models.rsmoe.instruction_router import NO_WORD, told_words

from ..tiny_models import pixels
from .tiny_rsmoe import WORDS, instruction, right_padded, rsmoe


@pytest.fixture(scope="module")
def model() -> RsMoeForConditionalGeneration:
    return rsmoe()


@torch.no_grad()
def test_an_experts_prompt_depends_on_picture_and_instruction(model: RsMoeForConditionalGeneration) -> None:
    base = model.encode(pixels(1), instruction())
    again = model.encode(pixels(1), instruction())
    other_picture = model.encode(pixels(1, seed=1), instruction())
    other_question = model.encode(pixels(1), instruction(seed=1))
    for name in ("prompts", "weights", "word_logits"):
        here = getattr(base, name)
        assert torch.equal(here, getattr(again, name))
        for other in (other_picture, other_question):
            assert (here - getattr(other, name)).abs().max() > 1e-4, name
    assert (base.prompts[:, 0] - base.prompts[:, 1]).abs().max() > 1e-2, "each expert has its own"


@torch.no_grad()
def test_the_router_itself_reads_both(model: RsMoeForConditionalGeneration) -> None:
    """Not only through the visual tokens, which know the instruction from the Q-Former already."""
    router = model.model.router
    assert router is not None
    visual, words = torch.randn(1, 3, 32), torch.randn(1, 4, 32)
    mask = torch.ones(1, 4, dtype=torch.long)
    prompts = router(visual, words, mask)[0]
    assert (prompts - router(torch.randn(1, 3, 32), words, mask)[0]).abs().max() > 1e-4
    assert (prompts - router(visual, torch.randn(1, 4, 32), mask)[0]).abs().max() > 1e-4


@torch.no_grad()
def test_padding_of_an_instruction_is_never_read(model: RsMoeForConditionalGeneration) -> None:
    rows = [instruction(2), instruction(6, seed=1)]
    batch = model.encode(pixels(2), **right_padded(rows))
    for row, ids in enumerate(rows):
        alone = model.encode(pixels(2)[row : row + 1], ids)
        for name in ("visual", "prompts", "weights", "word_logits"):
            here, there = getattr(batch.rows([row]), name), getattr(alone, name)
            torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-5)


def test_weights_are_probabilities_and_a_fresh_router_hears_all_experts_alike(
    model: RsMoeForConditionalGeneration,
) -> None:
    with torch.no_grad():
        weights = model.encode(pixels(2), instruction().expand(2, -1)).weights
        torch.testing.assert_close(weights.sum(1), torch.ones(2))
        router = rsmoe().model.router
        assert router is not None
        router.reset_parameters()
        fresh = router(torch.randn(2, 3, 32), torch.randn(2, 4, 32), torch.ones(2, 4))[1]
    torch.testing.assert_close(fresh, torch.full((2, 3), 1 / 3))


def test_told_are_the_likely_words_and_one_at_least(model: RsMoeForConditionalGeneration) -> None:
    logits = torch.tensor([[[0.5, 2.0, 1.0], [-3.0, -1.0, NO_WORD], [NO_WORD] * 3]])
    assert told_words(logits, 2) == [[[1, 2], [1], []]]
    assert told_words(logits, 0) == [[[], [], []]]
    with torch.no_grad():
        encoded = model.encode(pixels(2), instruction().expand(2, -1))
    assert encoded.word_logits.shape == (2, 3, 3)
    assert encoded.word_logits[0, 2].tolist()[1:] == [NO_WORD] * 2
    for row in model.told(encoded):
        assert all(0 < len(words) <= min(2, len(WORDS[expert])) for expert, words in enumerate(row))


@torch.no_grad()
def test_without_a_router_all_experts_have_one_prompt_and_one_weight() -> None:
    model = rsmoe(router="none")
    encoded = model.encode(pixels(1), instruction())
    other = model.encode(pixels(1, seed=1), instruction(seed=1))
    assert torch.equal(encoded.prompts, other.prompts)
    assert torch.equal(encoded.prompts[:, 0], encoded.prompts[:, 1])
    assert encoded.weights.tolist() == [[pytest.approx(1 / 3)] * 3]
    assert model.told(encoded) == [[[], [], []]]
    assert model.find(encoded).shape == (1, 3, 5)


@torch.no_grad()
def test_features_may_be_brought_to_the_q_formers_width_first() -> None:
    plain, narrow = rsmoe(), rsmoe(feature_width=16)
    assert narrow.config.qformer_config.encoder_hidden_size == 16
    assert narrow.model.feature_projector.weight.shape == (16, 24)
    assert "model.feature_projector.weight" not in plain.state_dict()
    base = narrow.encode(pixels(1), instruction()).visual
    assert (base - narrow.encode(pixels(1, seed=1), instruction()).visual).abs().max() > 1e-4
