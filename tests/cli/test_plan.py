"""`skymoe plan`: a table for people, JSON for programs, no torch, one line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from skymoe import cli
from skymoe.train.planning.fitting import Machine
from skymoe.train.planning.plan import make_plan
from skymoe.train.planning.reading import read_stages
from skymoe.train.planning.terminal import table
from skymoe.train.planning.units import GIB


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["skymoe", "plan", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return code, *capsys.readouterr()

    return run


def test_the_paper_on_six_gpus(plan) -> None:
    code, out, err = plan("skymoe-7b-stage2", "--gpus", 6, "--memory", "80G")
    assert (code, err) == (0, "")
    for fact in (
        "22.214 B in all",
        "9.228 B activated",
        "17.315 B train",
        "8,715 of 144",
        "24.8 TFLOP",
        "41.4 GiB",
    ):
        assert fact in out
    assert "44.5 GiB of it weights, gradients and optimizer" in " ".join(out.split())
    rows = {
        (line.split()[0], line.split()[1]): line
        for line in out.replace("▸", " ").splitlines()
        if " × " in line[20:60]
    }
    assert "fits" in rows["fsdp", "on"]
    assert "+" in rows["ddp", "on"]
    assert "+" in rows["zero2", "on"]


def test_json(plan) -> None:
    code, out, _ = plan("skymoe-7b", "--gpus", 8, "--gpu", "h200", "--flops", "400T", "--json")
    found = json.loads(out)
    assert code == 0
    assert [stage["stage"] for stage in found["stages"]] == ["stage1", "stage2"]
    for stage in found["stages"]:
        assert stage["fits"]
        assert stage["machine"]["rate"] == 4e14
        assert stage["machine"]["origin"] == "given"
        chosen = [layout for layout in stage["layouts"] if layout["chosen"]]
        assert len(chosen) == 1
        assert chosen[0]["fits"]
        for layout in stage["layouts"]:
            assert layout["peak"] == pytest.approx(max(layout["moments"].values()))
            assert layout["seconds"] == pytest.approx(layout["seconds_per_step"] * 8715)
    flop = found["stages"][1]["flop_per_step"]
    assert flop["total_with_checkpointing"] == flop["total"] + flop["checkpointing"]
    on, off = (
        next(
            one
            for one in found["stages"][1]["layouts"]
            if one["strategy"] == "fsdp" and one["checkpointing"] == again
        )
        for again in (True, False)
    )
    assert on["activations"] / on["micro_batch"] < off["activations"] / off["micro_batch"]


@pytest.mark.parametrize("width", [80, 124, 160])
def test_the_table_is_whole_in_any_terminal(width: int) -> None:
    machine = Machine(6, 80 * GIB, GIB, 1e14, 3e11)
    for stage in read_stages("skymoe-13b"):
        console = Console(width=width, file=StringIO(), color_system=None)
        console.print(table(make_plan(stage, machine), width))
        assert isinstance(console.file, StringIO)
        lines = console.file.getvalue().splitlines()
        assert "…" not in "".join(lines)
        assert all(len(line) <= width for line in lines)


def test_exit_code_and_remedies_where_nothing_fits(plan) -> None:
    code, out, _ = plan("skymoe-7b-stage2", "--gpus", 1, "--memory", "24G", "--strategy", "ddp")
    assert code == 1
    assert "Nothing fits into 22.0 GiB a GPU." in out
    assert "→ --gpus" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["skymoe-7c"], "did you mean"),
        (["--memory", "80X"], "--memory '80X'"),
        (["--flops", "fast"], "--flops 'fast'"),
        (["--gpu", "v100"], "--gpu 'v100' must be one of"),
        (["--strategy", "magic"], "--strategy 'magic'"),
        (["--checkpointing", "maybe"], "--checkpointing 'maybe'"),
        (["--reserve", "90G"], "--reserve 90G"),
        (["--flops", "1T", "--measure"], "give one"),
        (["--set", "a=1"], "changes a recipe"),
        (["--stage", "stage3"], "there are stage1, stage2"),
    ],
)
def test_mistakes_are_one_line(plan, arguments: list[str], message: str) -> None:
    code, out, err = plan(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_known_models_are_planned_without_torch() -> None:
    code = (
        "import sys\nfrom skymoe.cli import main\n"
        "sys.argv = ['skymoe', 'plan', 'skymoe-7b', '--gpus', '8', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_checkpoint_is_planned_by_its_configuration(plan, tmp_path: Path) -> None:
    text = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "vocab_size": 100}
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
    }
    vision |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = {"model_type": "skymoe", "text_config": text, "vision_config": vision, "num_experts": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    code, out, _ = plan(tmp_path, "--memory", "8G", "--batch-size", 8, "--steps", 10)
    assert code == 0
    assert "10 of 8 samples (given)" in out
    assert "MiB" in out


def test_a_recipe_is_judged_as_it_is_written(plan) -> None:
    recipe = Path(__file__).resolve().parents[2] / "recipes" / "skymoe-7b-stage2.yaml"
    code, out, _ = plan(recipe, "--gpus", 8)
    assert code == 0
    assert "As the recipe says (fsdp, with gradient checkpointing" in " ".join(out.split())
    _, out, _ = plan(recipe, "--gpus", 8, "--json")
    (stage,) = json.loads(out)["stages"]
    assert stage["as_the_recipe_says"]["fits"]
