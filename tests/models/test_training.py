"""The loss of Eq. 5 and its gradients: by hand, packed, checkpointed, accumulated."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from skymoe.models.moe import balance_loss
from skymoe.models.skymoe import SkyMoeForConditionalGeneration

from .tiny_models import IMPLEMENTATIONS, answer_labels, left_padded, pixels, question, skymoe


def batch() -> dict[str, Tensor]:
    inputs = left_padded([question(12, 0), question(9, 1)]) | {"pixel_values": pixels(2)}
    return inputs | {"labels": answer_labels(inputs["input_ids"], 5)}


def gradients(model: SkyMoeForConditionalGeneration, **inputs) -> dict[str, Tensor]:
    model.zero_grad()
    model(**inputs).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same_gradients(mine: dict[str, Tensor], wanted: dict[str, Tensor], atol: float = 1e-6) -> None:
    assert mine.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(
            mine[name], gradient, rtol=1e-3, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@torch.no_grad()
def test_equation_5_by_hand(reduction: str) -> None:
    model = skymoe(router_aux_loss_coef=0.3, router_aux_loss_reduction=reduction)
    inputs = batch()
    output = model(**inputs, output_router_logits=True)
    surprise, count = 0.0, 0
    for row, labels in zip(output.logits, inputs["labels"], strict=True):
        for position in range(len(labels) - 1):
            if labels[position + 1] != -100:
                surprise -= row[position].log_softmax(-1)[labels[position + 1]].item()
                count += 1
    assert count == 10
    mask = inputs["attention_mask"]
    layers = [balance_loss(layer, mask) for layer in output.router_logits]
    aux = sum(layers) / (len(layers) if reduction == "mean" else 1)
    assert output.aux_loss.item() == pytest.approx(aux.item(), rel=1e-5)
    assert output.loss.item() == pytest.approx(surprise / count + 0.3 * aux.item(), rel=1e-5)


def test_answers_only_gives_the_same_loss_and_gradients() -> None:
    model, inputs = skymoe(), batch()
    full, short = model(**inputs), model(**inputs, answers_only=True)
    assert short.logits.shape == (10, full.logits.shape[-1])
    torch.testing.assert_close(short.loss, full.loss)
    assert_same_gradients(gradients(model, **inputs, answers_only=True), gradients(model, **inputs))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS[1:])
def test_every_implementation_trains_alike(implementation: str) -> None:
    inputs = batch()
    assert_same_gradients(
        gradients(skymoe(experts=implementation), **inputs), gradients(skymoe(), **inputs), atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # the name that older versions know too
def test_gradient_checkpointing_changes_no_gradient() -> None:
    model, inputs = skymoe(router_aux_loss_coef=1.0, router_conditioning="instruction"), batch()
    for router in model.model.routers():
        torch.nn.init.normal_(router.instruction_weight)
    wanted = gradients(model.train(), **inputs)
    model.gradient_checkpointing_enable()
    got = gradients(model, **inputs)
    assert model.is_gradient_checkpointing
    assert_same_gradients(got, wanted)
    without = skymoe(router_aux_loss_coef=0.0, router_conditioning="instruction").train()
    without.load_state_dict(model.state_dict())
    name = "model.language_model.layers.0.mlp.router.weight"
    assert (gradients(without, **inputs)[name] - wanted[name]).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # the name that older versions know too
def test_reentrant_checkpointing_would_lose_the_balance_loss() -> None:
    """It runs the layers without gradients first, so the routers' logits know no weights."""
    model = skymoe().train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(ValueError, match="use_reentrant"):
        model(**batch())


@torch.no_grad()
def test_packed_sequences_equal_separate_ones() -> None:
    """One row of two questions under a block mask, positions counted anew, is two rows."""
    model = skymoe()
    parts = [question(7, 0), question(5, 1)]
    lengths = [part.shape[1] for part in parts]
    owner = torch.repeat_interleave(torch.arange(2), torch.tensor(lengths))
    mask = (owner[:, None] == owner[None]) & torch.ones(sum(lengths), sum(lengths)).tril().bool()
    ids = torch.cat(parts, dim=1)
    labels = torch.cat([answer_labels(part, 3) for part in parts], dim=1)
    packed = model(
        input_ids=ids,
        pixel_values=pixels(2),
        attention_mask=mask[None, None],
        position_ids=torch.cat([torch.arange(n) for n in lengths])[None],
        token_mask=torch.ones_like(ids),
        labels=labels,
        output_router_logits=True,
    )
    singles = [
        model(
            input_ids=part,
            pixel_values=pixels(2)[i : i + 1],
            labels=answer_labels(part, 3),
            output_router_logits=True,
        )
        for i, part in enumerate(parts)
    ]
    torch.testing.assert_close(
        packed.logits, torch.cat([s.logits for s in singles], dim=1), rtol=1e-4, atol=1e-5
    )
    answers = [
        F.cross_entropy(s.logits[0, :-1], answer_labels(p, 3)[0, 1:])
        for s, p in zip(singles, parts, strict=True)
    ]
    aux = torch.stack(
        [balance_loss(torch.cat(pair)) for pair in zip(*(s.router_logits for s in singles), strict=True)]
    )
    torch.testing.assert_close(packed.aux_loss, aux.mean(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        packed.loss, torch.stack(answers).mean() + 0.01 * aux.mean(), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_accumulated_micro_batches_sum_to_eq_5() -> None:
    """The Trainer sums the micro-batches' losses over a common number of tokens: α must not grow with their number."""
    model = skymoe(router_aux_loss_coef=1.0)
    outputs = []
    for seed, supervised in ((0, 2), (1, 6)):
        ids = question(10, seed)
        inputs = {
            "input_ids": ids,
            "pixel_values": pixels(seed=seed),
            "labels": answer_labels(ids, supervised),
        }
        outputs.append((supervised, model(**inputs), model(**inputs, num_items_in_batch=8)))
    total = sum(accumulated.loss for _, _, accumulated in outputs)
    torch.testing.assert_close(total, sum(n / 8 * alone.loss for n, alone, _ in outputs))


def test_frozen_tower_and_adaptor_still_train_the_experts() -> None:
    model = skymoe()
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)
    named = gradients(model, **batch())
    assert not any("vision_tower" in name or "projector" in name for name in named)
    assert all(named[name].abs().max() > 0 for name in named if ".experts." in name or ".router." in name)


@torch.no_grad()
def test_no_supervised_token_is_no_nan() -> None:
    inputs = batch() | {"labels": torch.full_like(batch()["input_ids"], -100)}
    model = skymoe()
    assert model(**inputs).loss.item() == pytest.approx(0.01 * model(**inputs).aux_loss.item())
    assert model(**inputs, answers_only=True).loss.isfinite()
