"""Several processes learn what one learns; a killed run goes on as if it had not been."""

import json
import signal
from pathlib import Path

import pytest
import torch
from children import start, torchrun, two, write
from safetensors.torch import load_file
from tiny_base import losses, recipe

from skymoe.errors import UserError
from skymoe.train.processes import shares
from skymoe.train.recipe_stages import DenseStage
from skymoe.train.stages import Training

pytest.importorskip("peft", reason="the extra train")
HERE = Path(__file__).parent
DENSE = {"kind": "dense", "name": "stage", "steps": 4}
EXPERTS = {"kind": "experts", "name": "stage", "steps": 3, "experts": 4, "balance": 0.0}
LORA = {"kind": "lora", "name": "stage", "steps": 3, "lora": {"rank": 4, "dropout": 0.0}}


def same_model(first: Path, second: Path, tolerance: float) -> None:
    a, b = (load_file(folder / "stage" / "model" / "model.safetensors") for folder in (first, second))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=tolerance, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "parallel"),
    [
        (LORA, "ddp"),
        (EXPERTS, "ddp"),
        (DENSE, "fsdp"),
        (LORA, "fsdp"),
        (EXPERTS, "fsdp"),
        (EXPERTS, "experts"),
    ],
    ids=["lora-ddp", "experts-ddp", "dense-fsdp", "lora-fsdp", "experts-fsdp", "experts-ep"],
)
def test_two_processes_learn_what_one_learns(tiny: Path, tmp_path: Path, stage: dict, parallel: str) -> None:
    made = {name: recipe(tmp_path / name, tiny / "llava", tiny / "samples", stage) for name in ("one", "two")}
    Training(made["one"]).run()
    two(made["two"].model_copy(update={"parallel": parallel}), tmp_path)
    curves = [losses(tmp_path / name, "stage") for name in ("one", "two")]
    assert len(curves[0]) == stage["steps"]
    assert curves[1] == [pytest.approx(line, rel=1e-3) for line in curves[0]]
    same_model(tmp_path / "one", tmp_path / "two", tolerance=2e-3)  # a step of AdamW moves a weight by 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["fsdp", "experts"])
def test_accumulated_in_shards_is_the_big_batch(tiny: Path, tmp_path: Path, parallel: str) -> None:
    """One process with the whole batch, two with a picture at a time; nobody holds whole gradients in between."""
    one = recipe(tmp_path / "one", tiny / "llava", tiny / "samples", EXPERTS)
    stage = {**EXPERTS, "micro_batch": 1, "gradient_checkpointing": True}
    made = recipe(tmp_path / "two", tiny / "llava", tiny / "samples", stage, parallel=parallel)
    Training(one).run()
    done = torchrun(HERE / "watched_run.py", str(write(made, tmp_path)))
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads((tmp_path / "two" / "watched.json").read_text())
    assert seen["micro_batches"] == 2 * EXPERTS["steps"]
    assert seen["whole_gradients"] == 0
    curves = [losses(tmp_path / name, "stage") for name in ("one", "two")]
    assert curves[1] == [pytest.approx(line, rel=1e-3) for line in curves[0]]
    same_model(tmp_path / "one", tmp_path / "two", tolerance=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["fsdp", "experts"])
def test_in_bfloat16_layers_are_gathered_so(tiny: Path, tmp_path: Path, parallel: str) -> None:
    """What learns is float32 at rest, what is frozen bfloat16; layers are put together, and compute, in bfloat16."""
    one = recipe(tmp_path / "one", tiny / "llava", tiny / "samples", EXPERTS, precision="bf16")
    made = recipe(
        tmp_path / "two", tiny / "llava", tiny / "samples", EXPERTS, precision="bf16", parallel=parallel
    )
    Training(one).run()
    done = torchrun(HERE / "watched_run.py", str(write(made, tmp_path)))
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads((tmp_path / "two" / "watched.json").read_text())
    assert seen["at_rest"] == {"learning": ["float32"], "frozen": ["bfloat16"]}
    assert seen["gathered"] == ["bfloat16"]
    curves = [losses(tmp_path / name, "stage") for name in ("one", "two")]
    for mine, theirs in zip(*curves, strict=True):
        assert theirs[1] == pytest.approx(mine[1], rel=0.02), "the loss, as bfloat16 rounds it"


@pytest.mark.slow
@pytest.mark.parametrize("stage", [DENSE, EXPERTS | {"steps": 4, "balance": 0.01}], ids=["dense", "experts"])
def test_killed_while_saving_is_as_never_killed(tiny: Path, tmp_path: Path, stage: dict) -> None:
    Training(recipe(tmp_path / "whole", tiny / "llava", tiny / "samples", stage)).run()
    made = recipe(tmp_path / "killed", tiny / "llava", tiny / "samples", stage)
    path = write(made, tmp_path)
    done = start(
        [str(HERE / "killed_run.py"), str(path), "4", "optimizer.pt"], threads=torch.get_num_threads()
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-4000:]
    checkpoints = tmp_path / "killed" / "stage" / "checkpoints"
    assert [folder.name for folder in checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]
    half = checkpoints / "writing" / "checkpoint-4"
    assert half.is_dir(), "it was killed in the middle of it"
    assert not (half / "checkpoint.json").exists()
    Training(made).run()
    assert losses(tmp_path / "killed", "stage") == losses(tmp_path / "whole", "stage"), (
        "step by step, to the bit"
    )
    same_model(tmp_path / "whole", tmp_path / "killed", tolerance=0)


@pytest.mark.slow
def test_two_sharded_processes_go_on_from_their_checkpoint(tiny: Path, tmp_path: Path) -> None:
    stage = EXPERTS | {"steps": 4}
    whole, cut = (
        recipe(tmp_path / name, tiny / "llava", tiny / "samples", stage, parallel="fsdp")
        for name in ("whole", "cut")
    )
    two(whole, tmp_path / "a")
    path = write(cut, tmp_path / "b")
    done = torchrun(HERE / "killed_run.py", str(path), "4", "scheduler.pt")
    assert "SIGKILL" in done.stderr, done.stderr[-4000:]
    two(cut, tmp_path / "b")
    assert losses(tmp_path / "cut", "stage") == [
        pytest.approx(x, rel=1e-5) for x in losses(tmp_path / "whole", "stage")
    ]


def test_dropout_is_resumed_too(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback

    from skymoe.train import trainer

    stage = {**LORA, "steps": 4, "micro_batch": 2, "lora": {"rank": 4, "dropout": 0.3}}
    Training(recipe(tmp_path / "whole", tiny / "llava", tiny / "samples", stage)).run()

    class PowerCut(TrainerCallback):
        def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
            if state.global_step == 3:
                raise KeyboardInterrupt

    class Interrupted(trainer.PictureTrainer):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.add_callback(PowerCut())

    made = recipe(tmp_path / "cut", tiny / "llava", tiny / "samples", stage)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "PictureTrainer", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            Training(made).run()
    Training(made).run()
    assert losses(tmp_path / "cut", "stage") == losses(tmp_path / "whole", "stage")
    same_model(tmp_path / "whole", tmp_path / "cut", tolerance=0)


def test_a_batch_is_shared_without_a_remainder() -> None:
    def stage(**changes: object) -> DenseStage:
        common = {"kind": "dense", "name": "s", "steps": 1, "learning_rate": 1e-3}
        return DenseStage.model_validate({**common, **changes})

    assert shares(stage(batch_size=144, micro_batch=6), 8) == (6, 3)
    assert shares(stage(batch_size=144, micro_batch=6), 1) == (6, 24)
    assert shares(stage(batch_size=16), 4) == (4, 1)
    assert shares(stage(batch_size=8, micro_batch=4), 4) == (2, 1), "a process has no more than its share"
    with pytest.raises(UserError, match="can't be shared by 5 processes"):
        shares(stage(batch_size=144), 5)
    with pytest.raises(UserError, match="micro_batch=8 does not divide"):
        shares(stage(batch_size=144, micro_batch=8), 8)


def test_a_checkpoint_keeps_what_learns_alone(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skymoe.train import stages

    kept: dict[str, list[str]] = {}

    def look(self: object, stage: object) -> None:
        folder = tmp_path / "stage" / "checkpoints" / "checkpoint-2"
        kept["weights"] = sorted(load_file(folder / "trained.safetensors"))
        kept["list"] = sorted(json.loads((folder / "checkpoint.json").read_text())["files"])

    monkeypatch.setattr(stages.Training, "clear", look)
    Training(recipe(tmp_path, tiny / "llava", tiny / "samples", {**LORA, "steps": 2})).run()
    assert len(kept["weights"]) == 4 * 2 * 2, "A and B of query and value in four layers"
    assert all("lora_" in name for name in kept["weights"])
    assert kept["list"] == [
        "optimizer.pt",
        "rng_state.pth",
        "scheduler.pt",
        "trained.safetensors",
        "trainer_state.json",
    ]
