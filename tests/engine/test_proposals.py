"""A typed box of the class that the tower knows is one the tower proposes: the decoder's words choose it."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import skymoe
from engine import plain
from skymoe import boxes, demo
from skymoe.engine import SkyMoe
from skymoe.engine.opened import opened
from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.tasks import Query, get_task

TANKS = demo.ASSETS / "demo" / "storage-tanks.jpg"
PHRASE = "the largest storage tank"


class Says(nn.Module):
    """A grid that says what it is told to, whatever it is shown."""

    def __init__(self, found: list[tuple[tuple[float, float, float, float], float]]) -> None:
        super().__init__()
        logits = torch.full((1, 5, 28, 28), -20.0)
        for (x1, y1, x2, y2), presence in found:
            x, y = (x1 + x2) / 2 * 28, (y1 + y2) / 2 * 28
            shares = torch.tensor([x % 1, y % 1, x2 - x1, y2 - y1])
            logits[0, 0, int(y), int(x)] = torch.tensor(presence).logit()
            logits[0, 1:, int(y), int(x)] = shares.logit()
        self.logits = logits

    def forward(self, fine: Tensor, middle: Tensor) -> Tensor:
        return self.logits.expand(len(fine), -1, -1, -1)


def test_the_tower_proposes_clear_peaks_the_clearest_first() -> None:
    tower = EfficientNetLiteModel(EfficientNetLiteConfig(object_grid=True))
    first, second, faint = (0.1, 0.2, 0.3, 0.5), (0.6, 0.6, 0.7, 0.8), (0.8, 0.1, 0.9, 0.2)
    beside = (0.14, 0.2, 0.34, 0.5)  # its centre is in the next cell: no peak of its own
    tower.grid = Says([(second, 0.7), (first, 0.9), (faint, 0.03), (beside, 0.5)])
    ((found, presence),) = tower.propose(torch.zeros(1, 3, 224, 224))
    torch.testing.assert_close(found, torch.tensor([first, second]))
    torch.testing.assert_close(presence, torch.tensor([0.9, 0.7]))


def test_a_tower_without_a_grid_proposes_nothing() -> None:
    tower = EfficientNetLiteModel(EfficientNetLiteConfig())
    ((found, presence),) = tower.propose(torch.zeros(1, 3, 64, 64))
    assert found.shape == (0, 4)
    assert presence.shape == (0,)


@pytest.fixture(scope="module")
def nano() -> SkyMoe:
    return skymoe.load(device="cpu")


def test_only_phrases_about_the_towers_class_have_proposals(nano: SkyMoe) -> None:
    picture = opened(TANKS)
    found = nano.proposals.of(picture, Query("ground", "The left-most Storage Tanks!"))
    assert len(found) >= 2
    assert found == nano.proposals.of(picture, Query("ground", PHRASE))
    assert nano.proposals.of(picture, Query("ground", "the airplane")) == {}
    assert nano.proposals.of(opened(Image.new("RGB", (64, 64))), Query("ground", PHRASE)) == {}


def test_the_most_probable_proposal_is_the_answer(nano: SkyMoe) -> None:
    picture = opened(TANKS)
    texts = nano.proposals.of(picture, Query("ground", PHRASE))
    answer = nano.ground(TANKS, PHRASE)
    assert answer.text in texts
    assert answer.boxes == boxes.parse_boxes(answer.text, *picture.size)
    given = plain.inputs(nano, picture.picture, Query("ground", PHRASE))
    chances = []
    for text in texts:  # the plain way: the whole sequence, its answer's tokens summed up
        messages = get_task("ground").messages(Query("ground", PHRASE))
        (tokens,) = nano.prompter.answers(messages, (text,), min(nano.stop))
        ids = torch.cat([given["input_ids"], torch.tensor([tokens])], dim=1)
        with torch.inference_mode():
            logits = nano.model(input_ids=ids, pixel_values=given["pixel_values"]).logits[0]
        spoken = logits[-len(tokens) - 1 : -1].log_softmax(dim=-1)
        chances.append(spoken[range(len(tokens)), list(tokens)].sum() + texts[text])
    assert answer.text == list(texts)[int(torch.stack(chances).argmax())]
    assert answer.confidence == pytest.approx(torch.stack(chances).softmax(dim=0).max().item(), abs=1e-3)


def test_free_decoding_is_not_bound_to_proposals(nano: SkyMoe) -> None:
    (free,) = nano.answer(TANKS, Query("ground", PHRASE), constrained=False)
    assert (
        free.text
        == plain.generate(nano, opened(TANKS).picture, Query("ground", PHRASE), max_new_tokens=16)[0]
    )
