"""Compiled layers learn what the others learn."""

from pathlib import Path

import pytest
import torch
from tiny_base import losses, recipe

from skymoe.errors import UserError
from skymoe.train.compiling import compile_layers
from skymoe.train.stages import Training

pytest.importorskip("peft", reason="the extra train")
LORA = {"kind": "lora", "name": "stage", "steps": 2, "lora": {"rank": 4, "dropout": 0.0, "targets": "linear"}}
EXPERTS = {"kind": "experts", "name": "stage", "steps": 2, "experts": 4, "train": [".mlp."]}


@pytest.mark.parametrize("stage", [LORA, EXPERTS], ids=["lora", "experts"])
def test_compiled_is_plain(tiny: Path, tmp_path: Path, stage: dict) -> None:
    lines = []
    for compiled in (False, True):
        output = tmp_path / str(compiled)
        given = recipe(output, tiny / "llava", tiny / "samples", {**stage, "compile": compiled})
        model = Training(given).run()
        lines.append(losses(output, "stage"))
        assert (model / "model.safetensors").is_file()
    assert lines[1] == [pytest.approx(line, rel=1e-4) for line in lines[0]]


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.accelerator.is_available():
        pytest.skip("an accelerator brings its own")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="install g"):
        compile_layers(torch.nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("stage", "more", "message"),
    [
        ({"kind": "dense", "pointing": 0.5}, {}, "pointing loss watches"),
        ({"kind": "encoder"}, {}, "RS-MoE was never tried"),
        ({"kind": "experts"}, {"parallel": "fsdp"}, "sharded layers were never tried"),
    ],
)
def test_refused_where_nobody_tried(
    tiny: Path, tmp_path: Path, stage: dict, more: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(
            tmp_path, tiny / "llava", tiny / "samples",
            {"name": "stage", "steps": 2, "compile": True, **stage}, **more,
        )  # fmt: skip
