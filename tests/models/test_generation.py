"""Answers do not depend on the batch, the cache, the kernel or the run."""

import pytest
import torch
from torch import Tensor
from transformers import StaticCache

from skymoe.models.cache_name import CACHE
from skymoe.models.skymoe import SkyMoeForConditionalGeneration

from .tiny_models import IMAGE_TOKEN, IMPLEMENTATIONS, left_padded, pixels, question, skymoe

QUESTIONS = [question(5, 0), question(11, 1), question(8, 2)]
PICTURES = pixels(3)
BATCH = left_padded(QUESTIONS) | {"pixel_values": PICTURES}


@pytest.fixture(scope="module")
def model() -> SkyMoeForConditionalGeneration:
    return skymoe(experts="grouped_mm")


def answer(model: SkyMoeForConditionalGeneration, inputs: dict[str, Tensor], **settings) -> list[list[int]]:
    defaults = {
        "max_new_tokens": 8,
        "min_new_tokens": 8,
        "do_sample": False,
        "suppress_tokens": [IMAGE_TOKEN],
    }
    return model.generate(**inputs, **{**defaults, **settings})[:, inputs["input_ids"].shape[1] :].tolist()


def alone(index: int) -> dict[str, Tensor]:
    return {"input_ids": QUESTIONS[index], "pixel_values": PICTURES[index : index + 1]}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@torch.no_grad()
def test_batch_equals_single(implementation: str) -> None:
    model = skymoe(experts=implementation)
    together = model(**BATCH).logits
    for index, ids in enumerate(QUESTIONS):
        single = model(**alone(index)).logits[0]
        torch.testing.assert_close(together[index, -ids.shape[1] :], single, rtol=1e-4, atol=1e-4)
    answers = answer(model, BATCH)
    assert answers == [answer(model, alone(index))[0] for index in range(3)]
    assert len({tuple(a) for a in answers}) == 3


def test_positions_of_a_left_padded_question_start_at_its_first_token(model) -> None:
    seen = []
    hook = model.model.language_model.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append(kwargs["position_ids"]), with_kwargs=True
    )
    answer(model, BATCH, max_new_tokens=2, min_new_tokens=2)
    hook.remove()
    padding = (BATCH["attention_mask"] == 0).sum(-1)
    assert [row[pad].item() for row, pad in zip(seen[0], padding, strict=True)] == [0, 0, 0]
    assert seen[1][:, -1].tolist() == [ids.shape[1] for ids in QUESTIONS]


@torch.no_grad()
def test_cached_equals_uncached(model) -> None:
    assert answer(model, BATCH) == answer(model, BATCH, use_cache=False)
    assert answer(model, BATCH) == answer(model, BATCH, cache_implementation="static")
    ids = QUESTIONS[1]
    whole = model(**alone(1)).logits
    start = model(input_ids=ids[:, :9], pixel_values=PICTURES[1:2], use_cache=True)
    rest = model(input_ids=ids[:, 9:], cache=start[CACHE], use_cache=True)
    torch.testing.assert_close(torch.cat([start.logits, rest.logits], dim=1), whole, rtol=1e-4, atol=1e-4)


def test_greedy_twice_is_the_same_and_kernels_agree(model) -> None:
    first = answer(model, BATCH)
    assert first == answer(model, BATCH)
    assert all(answer(skymoe(experts=kernel), BATCH) == first for kernel in IMPLEMENTATIONS)


def test_training_mode_is_as_deterministic(model) -> None:
    """No jitter, no capacity: a routed token takes the same way in training."""
    with torch.no_grad():
        wanted = model(**BATCH).logits
        torch.testing.assert_close(model.train()(**BATCH).logits, wanted, rtol=0, atol=0)
        model.eval()


def test_beam_search(model) -> None:
    beams = model.generate(
        **BATCH,
        max_new_tokens=6,
        num_beams=4,
        num_return_sequences=2,
        return_dict_in_generate=True,
        output_scores=True,
        suppress_tokens=[IMAGE_TOKEN],
    )
    assert beams.sequences.shape[0] == 6
    scores = beams.sequences_scores.view(3, 2)
    assert (scores[:, 0] >= scores[:, 1]).all()
    single = model.generate(**alone(0), max_new_tokens=6, num_beams=4, suppress_tokens=[IMAGE_TOKEN])
    length = QUESTIONS[0].shape[1]
    assert beams.sequences[0, -6:].tolist()[: single.shape[1] - length] == single[0, length:].tolist()


def test_sampling_repeats_with_its_seed(model) -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(answer(model, BATCH, do_sample=True, temperature=1.5))
    assert runs[0] == runs[1]


@torch.no_grad()
def test_a_picture_encoded_once_serves_many_questions(model) -> None:
    encoded = model.get_image_features(PICTURES[:1])
    wanted = answer(model, alone(0))
    got = answer(model, {"input_ids": QUESTIONS[0], "mm_encoder_outputs": {"image": encoded}})
    assert got == wanted


@torch.no_grad()
def test_static_cache_by_hand(model) -> None:
    cache = StaticCache(config=model.config.text_config, max_cache_len=32)
    whole = model(**alone(1)).logits
    torch.testing.assert_close(model(**alone(1), cache=cache).logits, whole, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_logits_to_keep_and_router_logits_on_request(model) -> None:
    output = model(**BATCH, logits_to_keep=1)
    torch.testing.assert_close(output.logits, model(**BATCH).logits[:, -1:])
    assert output.router_logits is None
    assert output.aux_loss is None
    asked = model(**BATCH, output_router_logits=True)
    assert [layer.shape for layer in asked.router_logits] == [(3 * BATCH["input_ids"].shape[1], 4)] * 2
