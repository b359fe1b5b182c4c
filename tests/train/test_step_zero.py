"""Stage II does not start unless it starts where stage I ended."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_base import recipe
from transformers import AutoModelForImageTextToText

from skymoe.errors import UserError
from skymoe.models.skymoe import upcycling
from skymoe.train import step_zero
from skymoe.train.stages import Training

STAGES = (
    {"kind": "dense", "name": "stage1", "steps": 2},
    {"kind": "experts", "name": "stage2", "steps": 1, "experts": 4},
)


def test_the_difference_is_that_of_rounding(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    check = step_zero.StepZero.check
    monkeypatch.setattr(step_zero.StepZero, "check", lambda *a: found.append(check(*a)))
    last = Training(recipe(tmp_path, tiny / "llava", tiny / "samples", *STAGES)).run()
    assert len(found) == 1
    assert found[0] < 1e-5
    assert AutoModelForImageTextToText.from_pretrained(last).config.num_experts == 4


@pytest.mark.parametrize("harm", ["scaled as Eq. 4 is printed", "one expert is another"])
def test_a_model_that_starts_elsewhere_is_refused(
    tiny: Path, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upcycle = upcycling.upcycle

    def harmed(base: str, out: Path, **options: object) -> object:
        made = upcycle(base, out, **options)
        if options["num_experts"]:
            weights = load_file(out / "model.safetensors")
            key = "model.language_model.layers.0.mlp.experts.down_proj"
            if harm == "one expert is another":
                weights[key][1] = torch.randn_like(weights[key][1])
            else:
                weights[key] = weights[key] * 0.5
            save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
        return made

    monkeypatch.setattr(upcycling, "upcycle", harmed)
    with pytest.raises(
        UserError, match=r"does not start where .* ended: its answers' logits are off"
    ) as caught:
        Training(recipe(tmp_path, tiny / "llava", tiny / "samples", *STAGES)).run()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "stage2" / "model").exists()
    assert (tmp_path / "stage1" / "model").is_dir(), "stage I is not lost"
