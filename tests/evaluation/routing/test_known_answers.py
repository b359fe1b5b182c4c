"""Real small models whose routers were set by hand, so that it is known what must be found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from engine.tiny_model import build
from skymoe.engine import SkyMoe
from skymoe.errors import UserError
from skymoe.evaluation.routing import summary
from skymoe.evaluation.routing.analysis import LABELS, Labels, analyse, informative
from skymoe.evaluation.routing.comparing import compare
from skymoe.evaluation.routing.questions import Asked
from skymoe.evaluation.routing.tracing import Traced, trace_all
from skymoe.tasks import TASKS

SHUFFLES = 99
Layers = list[dict[str, Any]]
_traced: dict[str, Traced] = {}


@cache
def labels_of(asked: tuple[Asked, ...]) -> Labels:
    return Labels(asked, shuffles=SHUFFLES)


def watched(engine: SkyMoe, asked: Sequence[Asked]) -> tuple[Traced, Layers]:
    if engine.name not in _traced:
        _traced[engine.name] = trace_all(engine, asked)
    traced = _traced[engine.name]
    return traced, analyse(traced, asked, labels_of(tuple(asked)))


def described(engine: SkyMoe, asked: Sequence[Asked]) -> dict[str, Any]:
    traced, layers = watched(engine, asked)
    return {
        "name": engine.name, "experts": traced.experts, "top_k": traced.top_k,
        "conditioned": traced.conditioned, "layers": layers,
    }  # fmt: skip


def test_experts_that_follow_the_task_tell_all_of_it(by_task: SkyMoe, asked: list[Asked]) -> None:
    traced, layers = watched(by_task, asked)
    assert traced.conditioned
    assert [layer["layer"] for layer in layers] == [0, 2]
    tasks = list(TASKS)
    for layer in layers:
        for part in informative(traced):
            one = layer["information"]["task"][part]
            assert one["nmi"] == pytest.approx(1)
            assert one["chance"]["p"] == one["within"]["p"] == 1 / (1 + SHUFFLES)
            assert one["beyond_picture"] > 0.3
            assert one["low"] > 0
        for task, parts in layer["histograms"]["task"].items():
            for shares in parts.values():
                assert shares == np.eye(len(tasks))[tasks.index(task)].tolist()
    said = summary.findings(described(by_task, asked))
    assert "tells 1.00 where chance gives" in said[0]
    assert "in 2 of 2 layers" in said[0]
    assert "beyond what the picture itself does" in said[2]


def test_a_token_router_cannot_know_the_question_while_it_reads_the_picture(
    random_engine: SkyMoe, asked: list[Asked]
) -> None:
    traced, layers = watched(random_engine, asked)
    for layer in layers:
        for label in ("task", "granularity"):
            for part in ("summary", "picture"):
                one = layer["information"][label][part]
                assert one["within"]["p"] == 1
                assert one["beyond_picture"] == pytest.approx(0, abs=1e-9)
    said = summary.findings(described(random_engine, asked))
    assert any("routed alike whatever is asked" in line for line in said)
    # All questions on one picture have its cells routed alike, so their maps are one map.
    maps = {one.picture: traced.maps(n)[0] for n, one in enumerate(asked)}
    assert all(traced.maps(n)[0] == maps[one.picture] for n, one in enumerate(asked))


def test_experts_that_follow_the_kind_of_token_tell_it_and_nothing_else(
    by_modality: SkyMoe, asked: list[Asked]
) -> None:
    traced, layers = watched(by_modality, asked)
    for layer in layers:
        modality = layer["information"]["modality"]
        assert modality["nmi"] == pytest.approx(1)
        assert modality["bits"] == pytest.approx(1)
        assert modality["chance"]["p"] == 1 / (1 + SHUFFLES)
        for label in LABELS:
            for part in informative(traced):
                assert layer["information"][label][part]["nmi"] == 0
            for parts in layer["histograms"][label].values():
                for part, shares in parts.items():
                    assert shares == ([1, 0, 0, 0] if part in ("summary", "picture") else [0, 1, 0, 0])


def test_routers_that_prefer_nothing_are_seen_to(undecided: SkyMoe, asked: list[Asked]) -> None:
    _, layers = watched(undecided, asked)
    for layer in layers:
        one = layer["balance"]["all"]
        assert one["first"] == [1, 0, 0, 0]
        assert one["loss"] == pytest.approx(1)  # even probabilities: the loss sees no harm in it
        assert (one["doubt"], one["surest"]) == (pytest.approx(1), pytest.approx(0.25))
        assert layer["information"]["modality"]["nmi"] == 0


def test_counts_are_those_of_all_tokens(random_engine: SkyMoe, asked: list[Asked]) -> None:
    traced, layers = watched(random_engine, asked)
    assert [int(n) for n in traced.counts.sum(axis=1)] == [len(tokens) for tokens in traced.tokens]
    cells = traced.counts[:, traced.parts.index("picture")]
    assert (cells == 9).all()
    np.testing.assert_allclose(traced.chosen, traced.chosen.round())
    np.testing.assert_allclose(traced.chosen.sum(-1), traced.top_k * traced.first.sum(-1))
    np.testing.assert_allclose(traced.probability.sum(-1), traced.first.sum(-1))
    assert layers[0]["balance"]["all"]["tokens"] == sum(len(tokens) for tokens in traced.tokens)


def test_the_models_own_load_is_the_balance_losss(random_engine: SkyMoe, asked: list[Asked]) -> None:
    """One question alone: F and G of the report are those of the loss that the model is trained with."""
    from skymoe.engine.routing import route
    from skymoe.models.moe import balance_loss
    from skymoe.pictures import open_sample

    traced = trace_all(random_engine, asked[:1])
    layers = analyse(traced, asked[:1], Labels(asked[:1], shuffles=SHUFFLES))
    (one,) = route(
        random_engine, [open_sample(asked[0].sample)], [asked[0].query], [asked[0].query.target or ""]
    )
    for layer, logits in zip(layers, one.logits, strict=True):
        assert layer["balance"]["all"]["loss"] == pytest.approx(balance_loss(logits).item(), rel=1e-5)
        assert layer["information"]["task"]["picture"] is None  # of one question nothing can be told
        assert layer["information"]["modality"] is None


def test_renamed_experts_sort_tokens_alike_and_tell_as_much(
    random_engine: SkyMoe, asked: list[Asked]
) -> None:
    model, processor = build()
    turned = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        for layer in model.config.expert_layers:
            block = model.model.language_model.layers[layer].mlp
            block.router.weight.copy_(block.router.weight[turned])
            block.experts.gate_up_proj.copy_(block.experts.gate_up_proj[turned])
            block.experts.down_proj.copy_(block.experts.down_proj[turned])
    renamed = SkyMoe(model, processor, name="renamed")
    (one, its), (other, others) = (watched(engine, asked) for engine in (random_engine, renamed))
    found = compare(one, other, (its, others), asked, labels_of(tuple(asked)))
    assert [pair["layer"] for pair in found] == [0, 2]
    for pair in found:
        for parts in pair["information"].values():
            for difference in parts.values():
                assert difference["difference"] == pytest.approx(0, abs=1e-9)
                assert not difference["clear"]
        for agreement in pair["agreement"].values():
            assert (
                agreement["nmi"] == pytest.approx(1) or agreement["nmi"] == 0
            )  # 0: one expert takes all of it
            assert agreement["nmi"] >= agreement["another"] - 1e-9


def test_a_model_that_follows_the_task_tells_more_than_one_that_does_not(
    by_task: SkyMoe, random_engine: SkyMoe, asked: list[Asked]
) -> None:
    (one, its), (other, others) = (watched(engine, asked) for engine in (by_task, random_engine))
    (first, _) = compare(one, other, (its, others), asked, labels_of(tuple(asked)))
    difference = first["information"]["task"]["picture"]
    assert difference["clear"]
    assert difference["low"] > 0
    # Random experts sort cells by what is seen, these by what is asked.
    assert first["agreement"]["picture"]["nmi"] < 0.3


def test_own_answers_and_varied_wordings(random_engine: SkyMoe, asked: list[Asked]) -> None:
    few = asked[:4]
    own = trace_all(random_engine, few, answers="own", batch_size=3)
    assert own.tokens != trace_all(random_engine, few).tokens
    varied = trace_all(random_engine, few, wording="varied")
    assert varied.tokens == trace_all(random_engine, few, wording="varied", batch_size=1).tokens
    assert varied.tokens != trace_all(random_engine, few).tokens


def test_a_dense_model_is_refused(asked: list[Asked]) -> None:
    with pytest.raises(UserError, match="is dense, it has no experts"):
        trace_all(SkyMoe(*build(num_experts=0), name="dense"), asked)
