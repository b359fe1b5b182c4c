"""Two-stage training of an RS-MoE in small: what learns in which stage, from what, resumed, and the ablations."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_base import losses
from tiny_instructblip import write_instructblip, write_llama
from transformers import AutoModelForImageTextToText, AutoProcessor

from skymoe.errors import UserError
from skymoe.models.rsmoe import RsMoeForConditionalGeneration, RsMoeProcessor
from skymoe.train import trainer
from skymoe.train.recipe import Recipe, load_recipe
from skymoe.train.rsmoe.feeding import RowFeeding, fitting
from skymoe.train.stages import Training

RECIPES = Path(__file__).parents[2] / "recipes"
ENCODER = {
    "kind": "encoder", "name": "encoder", "steps": 3, "learning_rate": 1e-3,
    "resampler": {"queries": 3, "layers": 1, "heads": 2},
}  # fmt: skip
SPECIALISTS = {
    "kind": "specialists", "name": "specialists", "steps": 3, "learning_rate": 1e-2, "router_heads": 2,
    "lora_rank": 2, "prompt_length": 2, "words": 6, "words_told": 2, "finding_length": 24,
}  # fmt: skip


def recipe(output: Path, tiny: Path, *stages: dict[str, Any], **changes: Any) -> Recipe:
    common = {"batch_size": 4, "micro_batch": 2, "save_every": 2, "log_every": 1}
    return Recipe.model_validate(
        {
            "name": "tiny", "seed": 5, "output": output, "precision": "fp32", "workers": 0,
            "base": {"model": str(tiny / "llava"), "template": "vicuna"},
            "data": {
                "sources": [{"name": "samples", "root": tiny / "samples"}],
                "questions": {"caption": 2, "vqa": 1},
                "views": {"dihedral": False, "crop": [1.0, 1.0]},
            },
            "stages": [{**common, **stage} for stage in stages],
            **changes,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rsmoe")
    assert Training(recipe(output, tiny, ENCODER, SPECIALISTS)).run() == output / "specialists" / "model"
    return output


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if name in after and not torch.equal(before[name], after[name])}


def test_stage_1_is_one_decoder_that_learns_with_its_encoder(trained: Path, tiny: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(trained / "encoder" / "model")
    assert isinstance(model, RsMoeForConditionalGeneration)
    assert model.config.num_experts == 0
    before = AutoModelForImageTextToText.from_pretrained(tiny / "llava").state_dict()
    after = model.state_dict()
    for name, value in before.items():
        if "vision_tower" in name:
            torch.testing.assert_close(after[name], value, rtol=0, atol=0, msg=name)
    decoder = "model.language_model.{}layers.0.mlp.up_proj.weight"
    assert not torch.equal(before[decoder.format("")], after[decoder.format("decoder.")])
    logged = [json.loads(line) for line in (trained / "encoder" / "log.jsonl").read_text().splitlines()]
    assert "answer_loss" in logged[0]
    assert "sub_loss" not in logged[0]


def test_stage_2_teaches_router_and_adapters_alone(trained: Path) -> None:
    before, after = (weights(trained / stage / "model") for stage in ("encoder", "specialists"))
    assert changed(before, after) == set(), "what stage I taught is frozen"
    new = set(after) - set(before)
    assert all(".router." in name or ".lora_" in name for name in new)
    assert max(after[name].abs().max() for name in new if name.endswith("lora_b")) > 0
    model = AutoModelForImageTextToText.from_pretrained(trained / "specialists" / "model")
    assert model.config.expert_names == ["theme", "objects", "relations"]
    theme, objects, _ = model.config.prompt_words
    assert theme == ["port"]
    assert set(objects) == {"storage tank", "road"}, "the words of the pictures trained on"
    logged = [json.loads(line) for line in (trained / "specialists" / "log.jsonl").read_text().splitlines()]
    assert {"answer_loss", "sub_loss", "word_loss"} <= set(logged[0])
    left = sorted(path.name for path in (trained / "specialists").iterdir())
    assert left == ["log.jsonl", "model", "recipe.json"]


def test_the_result_answers(trained: Path) -> None:
    folder = trained / "specialists" / "model"
    processor = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, RsMoeProcessor)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    question = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many tanks?"}]}]
    text = processor.apply_chat_template(question, add_generation_prompt=True, tokenize=False)
    inputs = processor(images=[Image.new("RGB", (40, 50))], text=[text], return_tensors="pt")
    told = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert told.shape[0] == 1


def test_findings_made_in_training_are_those_of_answering(trained: Path) -> None:
    """Gradient checkpointing takes caches away, and a finding without its cache is another one."""
    model = AutoModelForImageTextToText.from_pretrained(trained / "specialists" / "model")
    torch.manual_seed(0)
    size = model.config.vision_config.image_size
    encoded = model.encode(torch.randn(2, 3, size, size), torch.tensor([[7, 8, 9], [9, 8, 7]]))
    found = model.find(encoded)
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})
    model.train()
    torch.testing.assert_close(model.find(encoded), found)
    assert model.training


def test_interrupted_equals_uninterrupted(
    trained: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(trainer.PictureTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            if self.state.global_step == 2 and "word_loss" in self._parts:
                raise KeyboardInterrupt
            return super().training_step(*args, **kwargs)

    made = recipe(tmp_path, tiny, ENCODER, SPECIALISTS)
    (tmp_path / "encoder").symlink_to(trained / "encoder")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "PictureTrainer", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            Training(made).run()
    assert (tmp_path / "specialists" / "checkpoints" / "checkpoint-2").is_dir()
    resumed = weights(Training(made).run())
    for name, value in weights(trained / "specialists" / "model").items():
        torch.testing.assert_close(resumed[name], value, msg=name)


def test_without_instruction_router(trained: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "encoder").symlink_to(trained / "encoder")
    made = recipe(tmp_path, tiny, ENCODER, {**SPECIALISTS, "router": "none", "steps": 1})
    model = AutoModelForImageTextToText.from_pretrained(Training(made).run())
    assert model.config.router == "none"
    assert model.config.prompt_words == [[], [], []], "nobody tells words"
    assert "word_loss" not in (tmp_path / "specialists" / "log.jsonl").read_text()


def test_stage_1_ends_with_a_narrower_reading_of_the_tower(tiny: Path, tmp_path: Path) -> None:
    made = recipe(tmp_path, tiny, {**ENCODER, "feature_width": 6, "steps": 1}, {**SPECIALISTS, "steps": 1})
    Training(made).run()
    for stage in ("encoder", "specialists"):
        read = weights(tmp_path / stage / "model")["model.feature_projector.weight"]
        wide = AutoModelForImageTextToText.from_pretrained(tiny / "llava").config.vision_config.hidden_size
        assert read.shape == (6, wide)


def test_one_stage(tiny: Path, tmp_path: Path) -> None:
    narrow = {
        **ENCODER["resampler"],
        "feature_width": 6,
    }  # from the start: a projection that learns with the rest
    one = {**SPECIALISTS, "resampler": narrow, "everything": True, "steps": 1}
    folder = Training(recipe(tmp_path, tiny, one)).run()
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert model.config.num_experts == 3
    assert model.config.feature_width == model.model.feature_projector.out_features == 6
    before = AutoModelForImageTextToText.from_pretrained(tiny / "llava").state_dict()
    name = "model.language_model.{}layers.0.mlp.up_proj.weight"
    assert not torch.equal(before[name.format("")], model.state_dict()[name.format("decoder.")])
    assert len(losses(tmp_path, "specialists")) == 1


def test_decoder_and_q_former_of_other_checkpoints(tmp_path: Path, tiny: Path) -> None:
    """As the full configuration: InstructBLIP's tower and Q-Former, another language model."""
    write_instructblip(tmp_path / "blip")
    write_llama(tmp_path / "llama")
    base = {"model": str(tmp_path / "blip"), "decoder": str(tmp_path / "llama"), "template": "vicuna"}
    made = recipe(tmp_path / "run", tiny, {**ENCODER, "steps": 1, "learning_rate": 1e-9}, base=base)
    folder = Training(made).run()
    model = AutoModelForImageTextToText.from_pretrained(folder)
    source = load_file(tmp_path / "blip" / "model.safetensors")
    state = model.state_dict()
    for name, value in source.items():
        part = name.removeprefix("model.")
        if part.startswith("vision_model."):
            torch.testing.assert_close(
                state["model.vision_tower." + part.removeprefix("vision_model.")], value
            )
        if part.startswith("qformer.encoder."):
            torch.testing.assert_close(state["model." + part], value, rtol=0, atol=1e-6)
    assert model.config.num_query_tokens == 5
    processor = AutoProcessor.from_pretrained(folder)
    assert processor.tokenizer.pad_token is not None
    assert model.config.image_token_index == processor.tokenizer.convert_tokens_to_ids("<image>")


def test_the_full_scale_recipe_in_small(tmp_path: Path, tiny: Path) -> None:
    write_instructblip(tmp_path / "blip")
    write_llama(tmp_path / "llama")
    short = [
        change
        for place in (0, 1)
        for change in (
            f"stages.{place}.epochs=null", f"stages.{place}.steps=2", f"stages.{place}.batch_size=4",
            f"stages.{place}.micro_batch=2", f"stages.{place}.log_every=1",
        )
    ]  # fmt: skip
    made = load_recipe(
        RECIPES / "rs-moe-1b.yaml",
        [
            *short, f"output={tmp_path / 'run'}", f"base.model={tmp_path / 'blip'}",
            f"base.decoder={tmp_path / 'llama'}", "precision=fp32", "workers=0", "stages.1.router_heads=4",
            "stages.1.generated=1",
            f"data.sources=[{{name: samples, root: {tiny / 'samples'}}}]",
        ],
    )  # fmt: skip
    model = AutoModelForImageTextToText.from_pretrained(Training(made).run())
    assert model.config.num_experts == 3
    assert model.config.finding_length == 48
    for stage in ("encoder", "specialists"):
        assert len(losses(tmp_path / "run", stage)) == 2


def test_rows_have_one_question_and_all_its_answers(trained: Path, tiny: Path) -> None:
    made = recipe(trained, tiny, ENCODER, SPECIALISTS)
    training = Training(made)
    stage = made.stages[1]
    folder = trained / "specialists" / "model"
    processor: Any = RsMoeProcessor.from_pretrained(folder)
    config = AutoModelForImageTextToText.from_pretrained(folder).config
    training.processor = processor
    feeding = RowFeeding(processor, config, training.pixels(stage), {"caption": 2, "vqa": 1}, stage)
    sample = training.groups[0].items[1].replace(captions=("two tanks near a road", "a road", "a road"))
    item = feeding.prepare(sample, Random(0))
    caption, asked = item["rows"]
    assert len(caption["turns"]) == 2, "the same caption twice is one answer"
    for turn in caption["turns"]:
        assert turn.tokens[0] == caption["turns"][0].tokens[0]
        assert turn.answer_length == len(turn.tokens) - 1
    assert caption["prefix"].count(config.image_token_index) == config.image_seq_length
    assert caption["found"] == [("port",), ("road", "storage tanks"), ("storage tanks near road",)]
    assert all(
        set(shown) <= set(found) for shown, found in zip(caption["shown"], caption["found"], strict=True)
    )
    batch = feeding.collate([item, feeding.prepare(sample, Random(1))])
    rows = len(batch["picture_of_row"])
    assert batch["pixel_values"].shape[0] == 2
    assert batch["input_ids"].shape[0] == rows
    assert batch["sub_labels"].shape == (rows, 3, config.finding_length)
    assert batch["word_labels"].shape == (rows, 3, max(map(len, config.prompt_words)))
    if "tank" in asked["question"]:
        place = config.prompt_words[1].index("storage tank")
        assert asked["told"][1][place] == 1, "the router is to tell what is asked about"


def test_what_does_not_fit_into_a_finding_is_left_out_whole(trained: Path) -> None:
    processor: Any = RsMoeProcessor.from_pretrained(trained / "specialists" / "model")
    items = ["two tanks", "a road", "trees beside a road", "cars on a road"]
    text = fitting(processor, items)
    assert text in [", ".join(items[:number]) for number in range(5)]
    assert len(processor.tokenizer(text, add_special_tokens=False)["input_ids"]) < processor.finding_length


@pytest.mark.parametrize(
    ("stages", "changes", "message"),
    [
        ([SPECIALISTS], {}, "kind 'encoder' before it"),
        (
            [ENCODER, {"kind": "dense", "name": "d", "steps": 1, "learning_rate": 1e-3}],
            {},
            "encoder and specialists",
        ),
        ([{**SPECIALISTS, "experts": ["theme", "theme"]}], {}, "at most once"),
        ([{**SPECIALISTS, "resampler": {"queries": 2}}], {}, "everything: true"),
        ([{**ENCODER, "feature_width": 6, "resampler": {"feature_width": 6}}], {}, "give one of them"),
        ([ENCODER], {"parallel": "fsdp"}, "parallel: ddp"),
        ([ENCODER], {"base": {"model": "nano"}}, "experts inside"),
        ([ENCODER], {"base": {"model": "runs/nano/stage1/no-model"}}, "skymoe train recipes/nano.yaml"),
    ],
)
def test_recipes_that_cannot_be_trained(
    stages: list[dict[str, Any]], changes: dict[str, Any], message: str, tiny: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Training(recipe(tmp_path, tiny, *stages, **changes)).run()
    if isinstance(caught.value, UserError):
        assert "\n" not in str(caught.value)
