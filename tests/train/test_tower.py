"""What the tower is taught, and what its tokens then carry."""

import torch

from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel, ObjectGrid
from skymoe.sample import Region, Sample
from skymoe.train.tower import TowerTargets, TowerWithHeads

LISTS = (("beach", "port"), ("river", "port", "farm"))


def sample(labels: tuple[str, ...], label: str | None, **known: object) -> Sample:
    return Sample("x", "x.jpg", "test", "train", "none", 100, 200, labels=labels, label=label, **known)  # type: ignore[arg-type]


SCENES = [sample(LISTS[0], "port", captions=("a red ship",) * 2), sample(LISTS[1], "farm")]


def test_targets_of_scenes_words_and_objects() -> None:
    targets = TowerTargets(SCENES * 40)
    assert targets.words == ["red", "ship"]
    first, second = targets(SCENES[0], 28), targets(SCENES[1], 28)
    assert first["scene_list"] != second["scene_list"]
    assert first["words"].tolist() == [1.0, 1.0]
    assert second["words"].tolist() == [-1.0, -1.0], "no captions: nothing is known"
    assert (first["grid"] == -1).all(), "tanks are not annotated here"
    tank = Region("storage tank", (40.0, 80.0, 60.0, 120.0))
    seen = targets(sample(LISTS[0], None, regions=(tank,), complete=frozenset({"storage tank"})), 28)
    assert seen["scene"] == -1
    row, column = divmod(int(seen["grid"][0].argmax()), 28)
    assert (row, column) == (14, 14)
    torch.testing.assert_close(seen["grid"][1:, row, column], torch.tensor([0.2, 0.2]))
    assert seen["grid"][0].sum() == 1


def test_a_scene_competes_within_its_own_list_only() -> None:
    targets = TowerTargets(SCENES * 40)
    model = TowerWithHeads(EfficientNetLiteModel(EfficientNetLiteConfig(object_grid=True)), targets)
    assert model.members.sum(dim=1).tolist() == [2, 3, 5]


def test_tokens_carry_each_cell_of_the_grid_where_it_lies() -> None:
    logits = torch.full((1, 3, 28, 28), -20.0)
    logits[0, :, 9, 22] = (
        20.0  # cell row 9, column 22 lies in token row 2, column 5, at row 1, column 2 of its 4×4
    )
    told = ObjectGrid().told(logits)
    assert told.shape == (1, 49, 48)
    token = 2 * 7 + 5
    present = told[0].abs().sum(dim=-1) > 1e-3
    assert present.nonzero().flatten().tolist() == [token]
    assert told[0, token].reshape(3, 4, 4)[0].argmax() == 1 * 4 + 2
