"""Every shipped recipe is valid as it stands, and runs for a few steps on tiny models: what it says is possible."""

from pathlib import Path

import pytest
import torch
from tiny_base import losses
from transformers import AutoModelForImageTextToText, AutoProcessor

from skymoe.errors import UserError
from skymoe.train.recipe import Recipe, load_recipe
from skymoe.train.stages import Training

RECIPES = Path(__file__).parents[2] / "recipes"
# Corpora and sweeps are files of another kind, with tests of their own.
SHIPPED = sorted(
    path.stem for path in RECIPES.glob("*.yaml") if not path.stem.startswith(("corpus-", "ablations"))
)
pytest.importorskip("peft", reason="the extra train")
# In small: steps, batches, pictures of three by three patches, and no processes of their own for the pictures.
SMALL = [
    "precision=fp32",
    "workers=0",
    "stages.0.batch_size=4",
    "stages.0.micro_batch=2",
    "stages.0.log_every=1",
]


def small(name: str, output: Path, base: Path, *more: str) -> Recipe:
    length = ["stages.0.steps=2", "stages.0.epochs=null"]
    return load_recipe(
        RECIPES / f"{name}.yaml", [*SMALL, *length, f"output={output}", f"base.model={base}", *more]
    )


def test_the_shipped_recipes() -> None:
    assert SHIPPED == [
        "finetune", "nano", "rs-moe-1b", "rs-moe-nano", "rs-moe-nano-one-stage", "skymoe-7b-lora-experts",
        "skymoe-7b-stage1", "skymoe-7b-stage2",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_valid_as_it_stands(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert recipe.name == name
    assert Path("runs") in recipe.output.parents, "results of every recipe are in runs/"


def test_the_paper_s_settings() -> None:
    first, second = (load_recipe(RECIPES / f"skymoe-7b-stage{number}.yaml").stages[0] for number in (1, 2))
    for stage in (first, second):
        assert (stage.batch_size, stage.epochs, stage.learning_rate) == (144, 5, 2e-5)
        assert (stage.warmup, stage.weight_decay) == (0.03, 0)
    assert (first.lora.rank, first.lora.names) == (64, ("q_proj", "v_proj"))
    assert (second.experts, second.top_k, second.interval) == (8, 2, 2)
    assert load_recipe(RECIPES / "skymoe-7b-stage1.yaml").base.image_size == 504


@pytest.fixture(scope="module")
def stage1(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("stage1")
    recipe = small(
        "skymoe-7b-stage1", output, tiny / "llava", "base.image_size=42", f"data.corpus={tiny / 'corpus'}"
    )
    return Training(recipe).run()


def test_stage_1_ends_with_an_ordinary_dense_model(stage1: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(stage1)
    processor = AutoProcessor.from_pretrained(stage1)
    assert model.config.num_experts == 0
    assert (model.config.vision_config.image_size, processor.image_seq_length) == (42, 9)
    assert not any("lora" in name for name in model.state_dict()), "adapters are merged"
    assert processor.chat_template.count("ASSISTANT") == 2, "answering writes what training wrote"
    assert len(losses(stage1.parents[1], "stage1")) == 2


@pytest.mark.parametrize("name", ["skymoe-7b-stage2", "skymoe-7b-lora-experts"])
def test_stage_2_starts_where_stage_1_ended(
    name: str, stage1: Path, tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    folder = Training(small(name, tmp_path, stage1, f"data.corpus={tiny / 'corpus'}")).run()
    assert "step 0: logits as" in caplog.text
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert model.config.expert_layers == [0, 2]
    assert model.config.num_experts == 8
    experts = model.model.language_model.layers[0].mlp.experts.gate_up_proj
    assert (experts[0] - experts[1]).abs().max() > 0, "the clones have learnt apart"
    before = AutoModelForImageTextToText.from_pretrained(stage1).state_dict()
    for key, value in model.state_dict().items():
        if ".mlp.experts." not in key and ".mlp.router." not in key:
            torch.testing.assert_close(value, before[key], rtol=0, atol=0, msg=key)
    left = sorted(path.name for path in (tmp_path / "stage2").iterdir())
    assert left == ["log.jsonl", "model", "recipe.json"], "what only an unfinished stage needs is gone"


def test_own_data(tiny: Path, tmp_path: Path) -> None:
    """From a COCO file to a model that answers."""
    import json

    samples = [json.loads(line) for line in (tiny / "samples" / "samples.jsonl").read_text().splitlines()]
    coco = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 96, "height": 96} for i in range(len(samples))],
        "categories": [{"id": 1, "name": "Storage_Tanks"}],
        "annotations": [
            {"id": 10 * i + j, "image_id": i, "category_id": 1, "iscrowd": 0, "area": 400,
             "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for i, made in enumerate(samples)
            for j, (x1, y1, x2, y2) in enumerate(region["box"] for region in made["regions"])
        ],
    }  # fmt: skip
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    options = f"{{annotations: {tmp_path / 'instances.json'}, images: {tiny / 'samples' / 'pictures'}, split: train}}"
    recipe = small(
        "finetune", tmp_path / "run", tiny / "llava", "base.image_size=42", "base.template=vicuna",
        f"data.sources.0.options={options}",
    )  # fmt: skip
    folder = Training(recipe).run()
    from PIL import Image

    import skymoe

    answer = skymoe.load(str(folder), device="cpu").ask(
        Image.new("RGB", (50, 80)), "How many storage tanks are there?"
    )
    assert isinstance(answer.text, str)


def test_conversations_of_ones_own(tiny: Path, tmp_path: Path) -> None:
    import json

    talks = [
        {"id": str(i), "image": f"{i}.png", "conversations": [
            {"from": "human", "value": "<image>\nDescribe the image."},
            {"from": "gpt", "value": f"Two tanks, number {i}."},
        ]} for i in range(4)
    ]  # fmt: skip
    (tmp_path / "talks.json").write_text(json.dumps(talks))
    options = (
        f"{{annotations: {tmp_path / 'talks.json'}, images: {tiny / 'samples' / 'pictures'}, split: train}}"
    )
    recipe = small(
        "finetune", tmp_path / "run", tiny / "llava", "base.template=vicuna", "data.sources.0.name=conversations",
        f"data.sources.0.options={options}",
    )  # fmt: skip
    assert (Training(recipe).run() / "model.safetensors").is_file()


def test_another_base_does_not_go_on_with_the_old_one(tiny: Path, stage1: Path) -> None:
    output = stage1.parents[1]
    recipe = small("skymoe-7b-stage1", output, stage1, f"data.corpus={tiny / 'corpus'}", "base.image_size=42")
    with pytest.raises(UserError, match="choose another output"):
        Training(recipe).run()


@pytest.mark.parametrize(
    ("base", "message"),
    [("nowhere/at/all", "is no folder"), ("llava", "is no folder"), (".", "can't be read")],
)
def test_a_base_that_is_none(tiny: Path, tmp_path: Path, base: str, message: str) -> None:
    recipe = small("skymoe-7b-stage1", tmp_path / "run", Path(base), f"data.corpus={tiny / 'corpus'}")
    with pytest.raises(UserError, match=message) as caught:
        Training(recipe).run()
    assert "\n" not in str(caught.value)


def test_a_corpus_that_is_none(tiny: Path, tmp_path: Path) -> None:
    recipe = small("skymoe-7b-stage1", tmp_path, tiny / "llava", f"data.corpus={tmp_path}")
    with pytest.raises(UserError, match="skymoe data build"):
        Training(recipe).run()
