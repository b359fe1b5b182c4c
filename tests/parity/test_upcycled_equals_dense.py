"""Stage II starts exactly where stage I ended: cloned experts with renormalised weights are the dense model."""

from collections.abc import Callable

import pytest
import torch

from models.tiny_models import IMPLEMENTATIONS, answer_labels, left_padded, pixels, question, skymoe
from skymoe.models.moe import SparseMoeBlock
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle


@pytest.fixture(scope="module")
def dense() -> SkyMoeForConditionalGeneration:
    return skymoe(num_experts=0)


@pytest.fixture(scope="module")
def upcycled(dense, tmp_path_factory) -> Callable[..., SkyMoeForConditionalGeneration]:
    base = tmp_path_factory.mktemp("dense")
    dense.save_pretrained(base)

    def build(experts_by: str, **changes) -> SkyMoeForConditionalGeneration:
        out = tmp_path_factory.mktemp("sparse") / "model"
        upcycle(base, out, router_std=1.0, **changes)
        model = SkyMoeForConditionalGeneration.from_pretrained(out).eval()
        model.set_experts_implementation(experts_by)
        return model

    return build


INPUTS = left_padded([question(9, 0), question(6, 1)]) | {"pixel_values": pixels(2)}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@torch.no_grad()
def test_equal_at_step_zero(dense, upcycled, implementation: str) -> None:
    sparse = upcycled(implementation)
    labels = answer_labels(INPUTS["input_ids"])
    mine, wanted = sparse(**INPUTS, labels=labels), dense(**INPUTS, labels=labels)
    real = INPUTS["attention_mask"].bool()
    torch.testing.assert_close(mine.logits[real], wanted.logits[real], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mine.loss - 0.01 * mine.aux_loss, wanted.loss, rtol=1e-5, atol=1e-6)
    answers = [
        m.generate(**INPUTS, max_new_tokens=6, do_sample=False, suppress_tokens=[98]) for m in (sparse, dense)
    ]
    assert answers[0].tolist() == answers[1].tolist()


@torch.no_grad()
def test_routers_do_choose(upcycled) -> None:
    """The equality is no accident of one expert: tokens go to different ones."""
    sparse = upcycled("eager")
    logits = sparse(**INPUTS, output_router_logits=True).router_logits
    assert len(logits) == 2
    assert all(len(layer.topk(2).indices.unique()) > 2 for layer in logits)


@torch.no_grad()
def test_equation_4_as_printed_is_not_equal(dense, upcycled) -> None:
    """Without renormalisation an FFN is scaled by the mass of the chosen two: 2/8 for a uniform router."""
    sparse = upcycled("eager")
    for router in sparse.model.routers():
        router.normalize = False
    real = INPUTS["attention_mask"].bool()
    difference = (sparse(**INPUTS).logits - dense(**INPUTS).logits)[real].abs().max()
    assert difference > 0.1

    block: SparseMoeBlock = sparse.model.language_model.layers[0].mlp
    ffn = dense.model.language_model.layers[0].mlp
    x = torch.randn(2, 5, 32)
    mass = block.router(x)[1].sum(-1).view(2, 5, 1)
    torch.testing.assert_close(block(x), ffn(x) * mass, rtol=1e-4, atol=1e-5)
    block.router.weight.zero_()
    torch.testing.assert_close(block(x), ffn(x) * (2 / 8), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_equal_for_other_numbers_and_places_of_experts(dense, upcycled) -> None:
    real = INPUTS["attention_mask"].bool()
    wanted = dense(**INPUTS).logits[real]
    for changes in (
        {"num_experts": 3, "top_k": 3, "interval": 1},
        {"num_experts": 2, "top_k": 1, "layers": [1, 2]},
        {"offset": 1, "router_conditioning": "instruction"},
    ):
        torch.testing.assert_close(
            upcycled("grouped_mm", **changes)(**INPUTS).logits[real], wanted, rtol=1e-4, atol=1e-5
        )
