from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from engine.tiny_model import build
from skymoe.engine import SkyMoe
from skymoe.evaluation.benchmarks import get_benchmark
from skymoe.evaluation.routing.questions import Asked, ask_everything
from skymoe.tasks import TASKS, get_task

FIXTURES = Path(__file__).parents[2] / "fixtures" / "data"
OURS = ("ucm-captions", "rsicd", "aid-rsicd-test", "airbus-count")


@pytest.fixture(scope="session")
def asked() -> list[Asked]:
    """Everything that fits the test pictures of the miniatures, four at most of each data set."""
    return ask_everything([get_benchmark(name) for name in OURS], root=FIXTURES, limit=4)[0]


@pytest.fixture(scope="session")
def random_engine() -> SkyMoe:
    return SkyMoe(*build(), name="random")


@pytest.fixture(scope="session")
def by_task(asked: Sequence[Asked]) -> SkyMoe:
    """Routers that read the instruction and send every token to the expert of its task, in the order of `TASKS`."""
    model, processor = build(num_experts=len(TASKS), router_conditioning="instruction")
    engine = SkyMoe(model, processor, name="by-task")
    prompts = [engine.prompter.prompt(get_task(one.query.task).messages(one.query)) for one in asked]
    pooled = engine.decoder.instruction(prompts)
    assert pooled is not None
    wanted = torch.eye(len(TASKS))[[list(TASKS).index(one.query.task) for one in asked]]
    solved = torch.linalg.lstsq(pooled.double(), wanted.double(), driver="gelsd").solution.T.float()
    assert ((pooled @ solved.T).argmax(-1) == wanted.argmax(-1)).all(), "the words decide the task"
    _set_routers(engine, lambda weight: weight.zero_(), lambda weight: weight.copy_(solved))
    return engine


@pytest.fixture(scope="session")
def by_modality() -> SkyMoe:
    """Text is marked by the first channel, pictures by its opposite; routers send pictures to 0 and text to 1."""
    model, processor = build()
    with torch.no_grad():
        model.get_input_embeddings().weight[:, 0] = 50.0
        model.model.multi_modal_projector.linear_2.bias[0] = -50.0
    engine = SkyMoe(model, processor, name="by-modality")

    def sign(weight: torch.Tensor) -> None:
        weight.zero_()
        weight[0, 0], weight[1, 0] = -1.0, 1.0

    _set_routers(engine, sign)
    return engine


@pytest.fixture(scope="session")
def undecided() -> SkyMoe:
    """Routers that find all experts equally good; the first of equals is chosen."""
    engine = SkyMoe(*build(), name="undecided")
    _set_routers(engine, lambda weight: weight.zero_())
    return engine


def _set_routers(
    engine: SkyMoe,
    token: Callable[[torch.Tensor], object],
    instruction: Callable[[torch.Tensor], object] = lambda weight: None,
) -> None:
    with torch.no_grad():
        for router in engine.decoder.routers:
            token(router.weight)
            if router.instruction_weight is not None:
                instruction(router.instruction_weight)
