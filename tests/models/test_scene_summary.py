"""The token for the whole picture: where it stands, what it tells, and that the cells' tokens do not change by it."""

from pathlib import Path

import pytest
import torch

from skymoe.models.efficientnet_lite import HEAD_CHANNELS, EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.models.scene_summary import SCENE_GAIN, WORD_GAIN

SCENES, WORDS = [["beach", "port"], ["farm", "port", "river"]], ["ship", "red", "white", "sand"]
TOLD = 5 + 4


def tower(**changes: object) -> EfficientNetLiteModel:
    torch.manual_seed(0)
    config = EfficientNetLiteConfig(image_size=64, object_grid=True, summary_token=True, **changes)  # type: ignore[arg-type]
    return EfficientNetLiteModel(config).eval()


@pytest.fixture(scope="module")
def whole() -> EfficientNetLiteModel:
    return tower(scene_lists=SCENES, words=WORDS)


@torch.no_grad()
def test_it_comes_first_and_tells_probabilities(whole: EfficientNetLiteModel) -> None:
    tokens = whole(torch.randn(3, 3, 64, 96)).last_hidden_state
    assert tokens.shape == (3, 1 + 2 * 3, whole.config.hidden_size)
    told = tokens[:, 0, -TOLD:]
    torch.testing.assert_close(told[:, :2].sum(dim=1), torch.full((3,), SCENE_GAIN))
    torch.testing.assert_close(told[:, 2:5].sum(dim=1), torch.full((3,), SCENE_GAIN))
    assert ((told[:, 5:] > 0) & (told[:, 5:] < WORD_GAIN)).all()


@torch.no_grad()
def test_it_is_the_mean_of_the_picture_not_of_its_places(whole: EfficientNetLiteModel) -> None:
    pixels = torch.randn(1, 3, 64, 64)
    mean = whole.features(pixels)[32].mean(dim=(2, 3))
    assert whole.summary is not None
    first = whole(pixels).last_hidden_state[0, 0]
    torch.testing.assert_close(first[:HEAD_CHANNELS], whole.summary.norm(mean)[0])
    assert first[HEAD_CHANNELS:-TOLD].abs().max() == 0, "what a cell alone can tell"


@torch.no_grad()
def test_cells_stay_as_they_were(whole: EfficientNetLiteModel) -> None:
    pixels = torch.randn(2, 3, 64, 64)
    plain = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=64, object_grid=True)).eval()
    shared = plain.state_dict().keys() - {"position_embedding"}
    plain.load_state_dict({name: whole.state_dict()[name] for name in shared}, strict=False)
    for model in (plain, whole):
        torch.nn.init.zeros_(model.position_embedding)
    width = plain.config.hidden_size
    cells = whole(pixels).last_hidden_state[:, 1:]
    torch.testing.assert_close(cells[..., :width], plain(pixels).last_hidden_state)
    assert cells[..., width:].abs().max() == 0


def test_what_it_tells_is_saved_by_name(whole: EfficientNetLiteModel, tmp_path: Path) -> None:
    whole.save_pretrained(tmp_path)
    again = EfficientNetLiteModel.from_pretrained(tmp_path).eval()
    assert [list(scenes) for scenes in again.config.scene_lists] == SCENES
    assert list(again.config.words) == WORDS
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again(pixels).last_hidden_state, whole(pixels).last_hidden_state)


@torch.no_grad()
def test_with_nothing_to_tell_it_is_the_mean_alone() -> None:
    bare = tower()
    assert bare(torch.randn(1, 3, 64, 64)).last_hidden_state.shape == (1, 5, bare.config.hidden_size)
