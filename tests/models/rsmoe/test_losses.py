"""Training: what the losses are and which weights they reach."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from skymoe.models.rsmoe import RsMoeForConditionalGeneration
from skymoe.train.conversation import Turn, pack

from ..tiny_models import IMAGE_TOKEN, PAD, answer_labels, pixels
from .tiny_rsmoe import instruction, prompt, right_padded, rsmoe

FINDINGS = torch.tensor([[[5, 6, PAD, PAD, PAD], [7, PAD, PAD, PAD, PAD], [8, 9, 10, PAD, PAD]]])
SUB_LABELS = torch.tensor([[[5, 6, 2, -100, -100], [7, 2, -100, -100, -100], [8, 9, 10, 2, -100]]])


@pytest.fixture
def model() -> RsMoeForConditionalGeneration:
    return rsmoe()


def one_row(model: RsMoeForConditionalGeneration) -> dict[str, Any]:
    ids = prompt(model.config, 9)
    return {
        "input_ids": ids,
        "labels": answer_labels(ids),
        "pixel_values": pixels(1),
        "instruction_ids": instruction(),
        "findings": FINDINGS,
    }


def gradients(model: RsMoeForConditionalGeneration, kind: str, expert: int) -> float:
    found = [p.grad for name, p in model.named_parameters() if name.endswith(kind)]
    assert found
    return sum(float(grad[expert].abs().sum()) for grad in found if grad is not None)


@pytest.mark.parametrize("expert", range(3))
def test_a_sub_tasks_loss_reaches_its_own_expert_alone(
    model: RsMoeForConditionalGeneration, expert: int
) -> None:
    encoded = model.encode(pixels(1), instruction())
    labels = torch.full_like(SUB_LABELS, -100)
    labels[:, expert] = SUB_LABELS[:, expert]
    model.sub_loss(encoded, labels, [[[0], [1], [0]]]).backward()
    for other in range(3):
        for kind in ("lora_a", "lora_b", "router.prompt_start"):
            assert (gradients(model, kind, other) > 0) == (other == expert), (kind, other)


def test_the_answers_loss_is_minus_log_of_the_mixture(model: RsMoeForConditionalGeneration) -> None:
    row = one_row(model)
    with torch.no_grad():
        whole = model(**row)
        chosen = row["labels"][0, 1:] != -100
        said = whole.logits[0, :-1][chosen].gather(1, row["labels"][0, 1:][chosen][:, None])
        torch.testing.assert_close(whole.logits.exp().sum(-1), torch.ones(whole.logits.shape[:2]))
        torch.testing.assert_close(whole.loss, -said.mean())
        short = model(**row, answers_only=True)
        torch.testing.assert_close(short.loss, whole.loss)
        assert short.logits is None
        torch.testing.assert_close(model(**row, num_items_in_batch=8).loss, whole.loss / 2)


def test_all_losses_together_reach_router_and_every_adapter(model: RsMoeForConditionalGeneration) -> None:
    words = torch.tensor([[[1, 0, -100], [0, 1, 1], [1, -100, -100]]])
    output = model(**one_row(model), sub_labels=SUB_LABELS, word_labels=words, answers_only=True)
    coefficients = model.config.sub_task_coef, model.config.word_coef
    expected = output.answer_loss + coefficients[0] * output.sub_loss + coefficients[1] * output.word_loss
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()
    for name, parameter in model.named_parameters():
        if "lora" in name or ".router." in name:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_the_word_loss_ignores_what_is_unknown(model: RsMoeForConditionalGeneration) -> None:
    with torch.no_grad():
        encoded = model.encode(pixels(1), instruction())
        known = torch.tensor([[[1, -100, -100], [-100, 0, -100], [-100, -100, -100]]])
        logits = encoded.word_logits
        expected = torch.nn.functional.softplus(torch.stack([-logits[0, 0, 0], logits[0, 1, 1]])).mean()
        torch.testing.assert_close(model.word_loss(encoded, known), expected)
        assert model.word_loss(encoded, torch.full_like(known, -100)) == 0


def test_several_turns_behind_one_prefix_are_learnt_as_each_alone(
    model: RsMoeForConditionalGeneration,
) -> None:
    prefix = [1] + [IMAGE_TOKEN] * model.config.image_seq_length
    turns = [Turn([11, 12, 13, 14], 2), Turn([15, 16, 17], 1), Turn([11, 12, 9, 8, 7], 3)]
    common = {
        "pixel_values": pixels(1),
        "instruction_ids": instruction(),
        "findings": FINDINGS,
        "answers_only": True,
    }

    def loss(chosen: list[Turn]) -> torch.Tensor:
        packed = pack([(prefix, chosen)], PAD)
        packed.pop("token_mask")
        return model(**packed, **common, num_items_in_batch=1).loss

    with torch.no_grad():
        torch.testing.assert_close(loss(turns), sum(loss([turn]) for turn in turns), rtol=1e-5, atol=1e-5)


def test_padded_rows_are_learnt_as_each_alone(model: RsMoeForConditionalGeneration) -> None:
    """Packed rows and instructions of different lengths: the sum of the losses is that of the rows."""
    prefix = [1] + [IMAGE_TOKEN] * model.config.image_seq_length
    rows = [[Turn([11, 12, 13, 14], 2)], [Turn([15, 16, 17], 1), Turn([11, 12, 9, 8, 7], 3)]]
    asked = [instruction(2), instruction(5, seed=1)]
    findings = torch.cat([FINDINGS, FINDINGS.flip(1)])
    told = [[[0, 1], [1], [0]], [[], [], []]]

    def losses(chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        packed = pack([(prefix, rows[row]) for row in chosen], PAD)
        packed.pop("token_mask")
        output = model(
            **packed,
            **right_padded([asked[row] for row in chosen]),
            tower_features=model.model.tower_features(pixels(2))[chosen],
            findings=findings[chosen],
            sub_labels=SUB_LABELS.expand(2, -1, -1)[chosen],
            told=[told[row] for row in chosen],
            answers_only=True,
            num_items_in_batch=1,
        )
        return output.answer_loss, output.sub_loss

    with torch.no_grad():
        together, first, second = losses([0, 1]), losses([0]), losses([1])
        torch.testing.assert_close(together[0], first[0] + second[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(together[1], (first[1] + second[1]) / 2, rtol=1e-5, atol=1e-5)


def test_bfloat16_autocast_trains_and_mixes_in_float32(model: RsMoeForConditionalGeneration) -> None:
    words = torch.tensor([[[1, 0, -100], [0, 1, 1], [1, -100, -100]]])
    row = one_row(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**row, sub_labels=SUB_LABELS, word_labels=words, answers_only=True)
        logits = model(**row).logits
    assert output.loss.dtype == output.expert_weights.dtype == logits.dtype == torch.float32
    torch.testing.assert_close(
        output.loss, model(**row, sub_labels=SUB_LABELS, word_labels=words).loss, rtol=0.05, atol=0.05
    )
    output.loss.backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def test_own_findings_are_made_without_gradient_and_stage_one_needs_none(
    model: RsMoeForConditionalGeneration,
) -> None:
    row = {**one_row(model), "findings": None}
    model(**row).loss.backward()
    single = rsmoe(experts=False)
    ids = prompt(single.config, 9)
    row = {
        "input_ids": ids,
        "labels": answer_labels(ids),
        "pixel_values": pixels(1),
        "instruction_ids": instruction(),
    }
    single(**row, answers_only=True).loss.backward()
    for name, parameter in single.named_parameters():
        if ("qformer" in name and "layer.0" in name) or "projector" in name or name.endswith("query_tokens"):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
