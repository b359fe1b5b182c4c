"""A count is the median of what the model believes."""

from __future__ import annotations

import math

import pytest
import torch
from PIL import Image

from engine import plain
from engine.tiny_model import build
from skymoe.engine import SkyMoe, speaking
from skymoe.engine.speaking import LARGEST_LISTED
from skymoe.tasks import Query

NUMBERS = tuple(map(str, range(LARGEST_LISTED + 1)))
QUERY = Query("count", "ship")


def taught(pictures: list[Image.Image], numbers: list[int]) -> SkyMoe:
    """A tiny model that has learnt, a little, to answer with one of these numbers."""
    model, processor = build()
    engine = SkyMoe(model, processor)
    given = plain.inputs(engine, pictures[0], QUERY)
    states, targets = [], []
    for number in numbers:  # only the head learns, from states that stay what they are
        said = [*processor.tokenizer(str(number), add_special_tokens=False)["input_ids"], min(engine.stop)]
        ids = torch.cat([given["input_ids"], torch.tensor([said])], dim=1)
        with torch.no_grad():
            hidden = model.model(input_ids=ids, pixel_values=given["pixel_values"]).last_hidden_state[0]
        states.append(hidden[-len(said) - 1 : -1])
        targets += said
    optimiser = torch.optim.Adam(model.lm_head.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model.lm_head(torch.cat(states)), torch.tensor(targets)).backward()
        optimiser.step()
    model.zero_grad()
    return engine


@pytest.fixture(scope="module")
def engine(pictures: list[Image.Image]) -> SkyMoe:
    return taught(pictures, [3, 7, 12, 40, 41])


def chance(engine: SkyMoe, picture: Image.Image, number: str) -> float:
    """p(number, end) from a pass of its own through the plain model."""
    given = plain.inputs(engine, picture, QUERY)
    said = [*engine.processor.tokenizer(number, add_special_tokens=False)["input_ids"], min(engine.stop)]
    ids = torch.cat([given["input_ids"], torch.tensor([said])], dim=1)
    with torch.inference_mode():
        logits = engine.model(input_ids=ids, pixel_values=given["pixel_values"]).logits[0]
    scores = logits[-len(said) - 1 : -1].log_softmax(dim=-1)[torch.arange(len(said)), torch.tensor(said)]
    return math.exp(scores.sum().item())


@pytest.fixture(scope="module")
def chances(engine: SkyMoe, pictures: list[Image.Image]) -> list[float]:
    return [chance(engine, pictures[0], number) for number in NUMBERS]


def test_a_count_is_the_median_of_the_exact_distribution(
    engine: SkyMoe, pictures: list[Image.Image], chances: list[float]
) -> None:
    answer = engine.count(pictures[0], "ship")
    assert sum(chances) > 0.5
    below = sum(chances[: answer.number]) / sum(chances)
    upto = sum(chances[: (answer.number or 0) + 1]) / sum(chances)
    assert below < 0.5 <= upto
    assert answer.confidence == pytest.approx(chances[answer.number or 0] / sum(chances), rel=1e-3)
    assert answer.parsed
    assert answer.text == str(answer.number)


def test_no_other_count_has_a_smaller_expected_error(
    engine: SkyMoe, pictures: list[Image.Image], chances: list[float]
) -> None:
    values = torch.arange(len(NUMBERS))
    errors = (values[:, None] - values).abs().float() @ torch.tensor(chances)
    assert int(errors.argmin()) == engine.count(pictures[0], "ship").number


def test_a_count_beyond_the_list_is_spelt_out(pictures: list[Image.Image]) -> None:
    engine = taught(pictures, [1234])
    assert engine.count(pictures[0], "ship").number == 1234


def test_numbers_listed_and_spelt_in_one_batch(
    engine: SkyMoe, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [engine.count(picture, "ship") for picture in pictures]
    assert [answer.number for answer in engine.count(pictures, "ship")] == [answer.number for answer in alone]
    monkeypatch.setattr(speaking, "LARGEST_LISTED", 2)  # now the model means numbers that are not listed
    assert all(answer.parsed for answer in engine.count(pictures, "ship"))
