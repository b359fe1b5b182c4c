"""The instruction-conditioned router: silent at zero, then the question decides where the picture's tokens go."""

import pytest
import torch
from torch import Tensor

from skymoe.models.cache_name import CACHE
from skymoe.models.skymoe import SkyMoeForConditionalGeneration

from .tiny_models import IMAGE_TOKEN, answer_labels, left_padded, pixels, question, skymoe


def conditioned(perturbed: bool = True) -> SkyMoeForConditionalGeneration:
    model = skymoe(router_conditioning="instruction")
    if perturbed:
        torch.manual_seed(1)
        for router in model.model.routers():
            torch.nn.init.normal_(router.instruction_weight, std=8.0)
    return model


def routes(model: SkyMoeForConditionalGeneration, ids: Tensor, **inputs) -> Tensor:
    """First choice (S,) of every token in the first MoE layer."""
    output = model(input_ids=ids, pixel_values=pixels(), output_router_logits=True, **inputs)
    return output.router_logits[0].argmax(-1)


@torch.no_grad()
def test_zero_start_equals_the_plain_router() -> None:
    plain, model = skymoe(), conditioned(perturbed=False)
    model.load_state_dict(plain.state_dict(), strict=False)
    ids = question()
    torch.testing.assert_close(
        model(input_ids=ids, pixel_values=pixels()).logits, plain(input_ids=ids, pixel_values=pixels()).logits
    )


@torch.no_grad()
def test_another_question_routes_the_same_picture_differently() -> None:
    """In the first layer the picture's tokens stand before the question: a plain router sends them alike."""
    ids, other = question(9, 0), question(9, 5)
    picture = slice(1, 5)
    plain, model = skymoe(), conditioned()
    assert torch.equal(routes(plain, ids)[picture], routes(plain, other)[picture])
    assert not torch.equal(routes(model, ids)[picture], routes(model, other)[picture])


@torch.no_grad()
def test_batch_equals_single_and_cached_equals_uncached() -> None:
    model = conditioned()
    questions = [question(5, 0), question(11, 1), question(8, 2)]
    batch = left_padded(questions) | {"pixel_values": pixels(3)}
    settings = {
        "max_new_tokens": 6,
        "min_new_tokens": 6,
        "do_sample": False,
        "suppress_tokens": [IMAGE_TOKEN],
    }
    answers = model.generate(**batch, **settings)[:, -6:]
    for index, ids in enumerate(questions):
        single = model.generate(input_ids=ids, pixel_values=pixels(3)[index : index + 1], **settings)
        assert single[0, -6:].tolist() == answers[index].tolist()
    for changes in ({"cache_implementation": "static"}, {"num_beams": 2}):
        got = model.generate(**batch, **settings, **changes)[:, -6:]
        assert got.shape == answers.shape
        if "num_beams" not in changes:
            assert got.tolist() == answers.tolist()


@torch.no_grad()
def test_decoding_keeps_the_prompts_instruction() -> None:
    """Step by step with the cache, the router still reads the question, not the token just written."""
    model = conditioned()
    ids = question(9)
    written = torch.tensor([[17, 23]])
    prompt = model(input_ids=ids, pixel_values=pixels(), use_cache=True)
    step = model(
        input_ids=written,
        cache=prompt[CACHE],
        instruction_embeds=prompt.instruction_embeds,
    )
    whole = model(
        input_ids=torch.cat([ids, written], dim=1),
        pixel_values=pixels(),
        instruction_embeds=prompt.instruction_embeds,
    )
    torch.testing.assert_close(step.logits, whole.logits[:, -2:], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_training_reads_the_same_instruction_as_answering() -> None:
    """The supervised answer, the picture and the padding are no part of the instruction."""
    model = conditioned()
    ids = question(12)
    prompt = model(input_ids=ids[:, :-4], pixel_values=pixels()).instruction_embeds
    trained = model(input_ids=ids, pixel_values=pixels(), labels=answer_labels(ids, 4)).instruction_embeds
    torch.testing.assert_close(trained, prompt)
    padded = left_padded([ids[:, :-4], question(20)])
    padded = {name: value[:1] for name, value in padded.items()}
    torch.testing.assert_close(model(**padded, pixel_values=pixels()).instruction_embeds, prompt)
    words = model.get_input_embeddings()(ids[:, :-4][ids[:, :-4] != IMAGE_TOKEN])
    torch.testing.assert_close(prompt[0], words.mean(0))


def test_instruction_term_is_trained() -> None:
    model = conditioned(perturbed=False)
    ids = question(12)
    model(input_ids=ids, pixel_values=pixels(), labels=answer_labels(ids)).loss.backward()
    for router in model.model.routers():
        assert router.instruction_weight.grad.abs().max() > 0


def test_what_has_no_instruction_is_refused() -> None:
    model, ids = conditioned(), question()
    with pytest.raises(ValueError, match="needs input_ids or instruction_embeds"):
        model(inputs_embeds=model.get_input_embeddings()(ids))
    mask = torch.ones(1, 1, ids.shape[1], ids.shape[1]).tril().bool()
    with pytest.raises(ValueError, match="without packing"):
        model(input_ids=ids, pixel_values=pixels(), attention_mask=mask, labels=ids)
