"""Answers: a row is answered as if it were alone, with a cache as without, by Transformers' own searches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from skymoe.models.rsmoe import RsMoeForConditionalGeneration

from ..tiny_models import PAD, left_padded, pixels
from .tiny_rsmoe import instruction, processor, prompt, right_padded, rsmoe

SAID = {"max_new_tokens": 7, "min_new_tokens": 7}


@pytest.fixture(scope="module")
def model() -> RsMoeForConditionalGeneration:
    return rsmoe()


def inputs(model: RsMoeForConditionalGeneration) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Two questions of different lengths on two pictures as one batch, and each alone."""
    prompts = [prompt(model.config, words, seed=words) for words in (3, 8)]
    asked = [instruction(words, seed=words) for words in (2, 7)]
    batch = {**left_padded(prompts), **right_padded(asked), "pixel_values": pixels(2)}
    alone = [
        {"input_ids": ids, "instruction_ids": words, "pixel_values": pixels(2)[row : row + 1]}
        for row, (ids, words) in enumerate(zip(prompts, asked, strict=True))
    ]
    return batch, alone


@torch.no_grad()
@pytest.mark.parametrize("search", [{}, {"num_beams": 3}], ids=["greedy", "beams"])
def test_a_batch_is_answered_as_its_rows_alone(
    model: RsMoeForConditionalGeneration, search: dict[str, int]
) -> None:
    batch, alone = inputs(model)
    together = model.generate(**batch, **SAID, **search)[:, -7:]
    for row, one in enumerate(alone):
        assert together[row].tolist() == model.generate(**one, **SAID, **search)[0, -7:].tolist()


@torch.no_grad()
def test_logits_and_findings_of_a_batch_are_those_of_its_rows(model: RsMoeForConditionalGeneration) -> None:
    batch, alone = inputs(model)
    logits = model(**batch).logits
    for row, one in enumerate(alone):
        torch.testing.assert_close(logits[row, -1:], model(**one).logits[0, -1:], rtol=1e-4, atol=1e-4)
    asked = {name: batch[name] for name in ("pixel_values", "instruction_ids", "instruction_mask")}
    encoded = model.encode(**asked)
    findings = model.find(encoded)
    assert findings.shape == (2, 3, 5)
    assert len({tuple(ids) for row in findings.tolist() for ids in row}) > 1, "experts and rows differ"
    for row in range(2):
        assert torch.equal(model.find(encoded.rows([row])), findings[row : row + 1])
    again = model(**batch, findings=findings).logits
    torch.testing.assert_close(again, logits)


@torch.no_grad()
def test_cached_equals_uncached(model: RsMoeForConditionalGeneration) -> None:
    batch, _ = inputs(model)
    cached = model.generate(**batch, **SAID)
    assert torch.equal(model.generate(**batch, **SAID, use_cache=False), cached)
    # and step by step, from the whole sequence at once:
    findings = model.find(
        model.encode(**{n: batch[n] for n in ("pixel_values", "instruction_ids", "instruction_mask")})
    )
    mask = torch.nn.functional.pad(batch["attention_mask"], (0, 7), value=1)
    whole = model(**{**batch, "input_ids": cached, "attention_mask": mask}, findings=findings).logits
    assert torch.equal(whole[:, -8:-1].argmax(-1), cached[:, -7:])


@torch.no_grad()
def test_findings_are_each_experts_own_greedy_answer(model: RsMoeForConditionalGeneration) -> None:
    """The same tokens come out when the loss of the sub-tasks reads them: both see one prompt."""
    encoded = model.encode(pixels(1), instruction())
    findings = model.find(encoded)
    labels = findings.masked_fill(findings == PAD, -100)
    right = model.sub_loss(encoded, labels)
    for expert in range(3):
        changed = labels.clone()
        changed[0, expert, 0] = (changed[0, expert, 0] + 1) % 90 + 3
        assert model.sub_loss(encoded, changed) > right


@torch.no_grad()
def test_a_finding_ends_with_its_end_token() -> None:
    model = rsmoe()
    encoded = model.encode(pixels(1), instruction())
    free = model.find(encoded)
    end = int(free[0, 0, 2])
    model.config.text_config.eos_token_id = [end, 1]
    row = model.find(encoded)[0, 0].tolist()
    first = free[0, 0].tolist().index(end)
    assert row == free[0, 0].tolist()[:first] + [PAD] * (5 - first)


@torch.no_grad()
def test_the_answer_depends_on_the_findings(model: RsMoeForConditionalGeneration) -> None:
    _, alone = inputs(model)

    def last(findings: Tensor) -> Tensor:
        return model(**alone[0], findings=findings).logits[:, -1]

    nothing = torch.full((1, 3, 5), PAD)
    other = nothing.clone()
    other[0, 2, 1] = 7
    assert (last(nothing) - last(other)).abs().max() > 1e-4


@torch.no_grad()
def test_an_explanation_says_what_was_told_and_found(model: RsMoeForConditionalGeneration) -> None:
    made = processor()
    rows = model.explain(made, pixels(2), **right_padded([instruction(2), instruction(6)]))
    assert len(rows) == 2
    for explained in rows:
        assert [one.name for one in explained.prompts] == ["theme", "objects", "relations"]
        assert len(explained.findings) == 3
        assert sum(one.weight for one in explained.prompts) == pytest.approx(1.0, abs=1e-5)
        for one in explained.prompts:
            assert one.words
            assert ", ".join(one.words) in one.text


def test_what_is_missing_is_said_in_one_line(model: RsMoeForConditionalGeneration) -> None:
    ids = prompt(model.config)
    with pytest.raises(ValueError, match="give instruction_ids"):
        model(input_ids=ids, pixel_values=pixels(1))
    with pytest.raises(ValueError, match=r"needs 20 image tokens .* these have \[19\]"):
        model(input_ids=ids[:, 2:], pixel_values=pixels(1), instruction_ids=instruction())
    with pytest.raises(ValueError, match="2 pictures for 1 instructions"):
        model.encode(pixels(2), instruction())
