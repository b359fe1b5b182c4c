"""What the tower is taught, and what its tokens then carry."""

import torch

from skymoe.models.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from skymoe.models.object_grid import BOX_WAVES, GRID_CHANNELS, ObjectGrid, grid_boxes
from skymoe.sample import Region, Sample
from skymoe.train.tower import TowerLoss, TowerTargets

LISTS = (("beach", "port"), ("river", "port", "farm"))


def sample(labels: tuple[str, ...], label: str | None, **known: object) -> Sample:
    return Sample("x", "x.jpg", "test", "train", "none", 100, 200, labels=labels, label=label, **known)  # type: ignore[arg-type]


SCENES = [sample(LISTS[0], "port", captions=("a red ship",) * 2), sample(LISTS[1], "farm")]


def test_targets_of_scenes_words_and_objects() -> None:
    targets = TowerTargets(SCENES * 40, "storage tank")
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
    torch.testing.assert_close(seen["grid"][1:, row, column], torch.tensor([0.0, 0.0, 0.2, 0.2]))
    assert seen["grid"][0].sum() == 1


def test_a_scene_competes_within_its_own_list_only() -> None:
    targets = TowerTargets(SCENES * 40, "storage tank")
    model = TowerLoss(EfficientNetLiteModel(EfficientNetLiteConfig(object_grid=True)), targets)
    assert model.members.sum(dim=1).tolist() == [2, 3, 5]


def said(box: tuple[float, float, float, float], side: int = 28) -> torch.Tensor:
    """Logits of a grid that is sure of one object and sure of nothing else."""
    logits = torch.full((1, 5, side, side), -20.0)
    x, y = (box[0] + box[2]) / 2 * side, (box[1] + box[3]) / 2 * side
    shares = torch.tensor([x % 1, y % 1, box[2] - box[0], box[3] - box[1]])
    logits[0, 0, int(y), int(x)] = 20.0
    logits[0, 1:, int(y), int(x)] = shares.logit()
    return logits


def test_the_grid_says_boxes() -> None:
    box = (0.7, 0.3, 0.9, 0.38)
    boxes = grid_boxes(said(box))
    torch.testing.assert_close(boxes[0, :, 9, 22], torch.tensor(box))


def test_tokens_carry_each_cell_of_the_grid_where_it_lies() -> None:
    # Cell row 9, column 22 lies in token row 2, column 5, at row 1, column 2 of its 4×4.
    told = ObjectGrid(40, 112).told(said((0.7, 0.3, 0.9, 0.38)))
    assert told.shape == (1, 49, GRID_CHANNELS)
    token = 2 * 7 + 5
    assert (told[0].abs().sum(dim=-1) > 1e-3).nonzero().flatten().tolist() == [token]
    assert told[0, token, :16].argmax() == 1 * 4 + 2
    assert told[0, token, 16] == 4.0, "one object"
    # The slowest of each side's waves: a quarter turn across the picture.
    slowest = told[0, token, 18 : 18 + 4 * BOX_WAVES : BOX_WAVES] / 6
    torch.testing.assert_close(slowest, torch.sin(torch.tensor([0.7, 0.3, 0.9, 0.38]) * torch.pi / 2))
