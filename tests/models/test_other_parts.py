"""LLaVAs with other towers and decoders than CLIP and Llama, from disk: asked, upcycled, trained, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration

import skymoe
from skymoe.engine.opened import opened
from skymoe.errors import UserError
from skymoe.models.fitness import longest_read, readable_mask
from skymoe.models.skymoe import SkyMoeForConditionalGeneration
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.train.recipe import Recipe
from skymoe.train.stages import Training
from train.tiny_base import recipe, write_llava, write_samples

GEMMA = {"model_type": "gemma2", "head_dim": 8, "query_pre_attn_scalar": 8, "num_key_value_heads": 2}
PARTS: dict[str, dict] = {
    "dinov2": {"vision": {"model_type": "dinov2"}},
    "dinov2_with_registers": {
        "vision": {"model_type": "dinov2_with_registers", "num_register_tokens": 2},
        "before_patches": 3,
    },
    "dinov3_vit": {"vision": {"model_type": "dinov3_vit", "num_register_tokens": 4}, "before_patches": 5},
    "siglip": {"vision": {"model_type": "siglip_vision_model"}, "before_patches": 0},
    "gemma2": {"text": GEMMA},
}
QUESTIONS = ("what?", "How many storage tanks are there in this image?")
PICTURE = Image.linear_gradient("L").convert("RGB")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("parts")
    return {name: write_llava(root / name, **parts) for name, parts in PARTS.items()}


@pytest.mark.parametrize("name", PARTS)
@torch.inference_mode()
def test_asking_gives_the_logits_of_transformers_own_llava(written: dict[str, Path], name: str) -> None:
    """Several questions of different lengths behind one picture, as one batch."""
    engine = skymoe.load(written[name], device="cpu")
    theirs = LlavaForConditionalGeneration.from_pretrained(written[name]).eval()
    jobs = [engine._own_words(opened(PICTURE), question) for question in QUESTIONS]
    _, logits = engine._start(jobs, 1)
    pixels = engine.prefixes.pixels([opened(PICTURE)])
    for job, row in zip(jobs, logits, strict=True):
        ids = torch.tensor([job.prompt.tokens])
        wanted = theirs(input_ids=ids, pixel_values=pixels).logits[0, -1]
        torch.testing.assert_close(row, wanted, rtol=1e-4, atol=1e-4)
    assert engine.count(PICTURE, "ship").parsed is not None


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_upcycled_equals_dense(written: dict[str, Path], tmp_path: Path, name: str) -> None:
    upcycle(written[name], tmp_path / "out", num_experts=2)
    ours, info = SkyMoeForConditionalGeneration.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(info.values()), info
    theirs = LlavaForConditionalGeneration.from_pretrained(written[name]).eval()
    count = theirs.config.image_seq_length
    ids = torch.tensor([[1, *[theirs.config.image_token_id] * count, 300, 301, 302]])
    inputs = {"input_ids": ids, "pixel_values": torch.randn(1, 3, 28, 28)}
    torch.testing.assert_close(ours.eval()(**inputs).logits, theirs(**inputs).logits, rtol=1e-4, atol=1e-5)
    assert skymoe.load(tmp_path / "out").count(PICTURE, "ship").parsed is not None


def begun_from(base: Path, output: Path, samples: Path, stage: dict) -> Recipe:
    """A recipe on a base whose pictures keep their size."""
    made = recipe(output, base, samples, stage).model_dump()
    return Recipe.model_validate(made | {"base": {"model": str(base), "template": "vicuna"}})


@pytest.mark.parametrize("name", ["dinov2", "gemma2"])
def test_a_recipe_begins_with_it(written: dict[str, Path], tmp_path: Path, name: str) -> None:
    samples = write_samples(tmp_path / "samples")
    stage = {"name": "stage2", "kind": "experts", "steps": 2, "experts": 2}
    made = Training(begun_from(written[name], tmp_path / "run", samples, stage)).run()
    assert skymoe.load(made).model.config.num_experts == 2


@pytest.fixture(scope="module")
def any_shape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SigLIP 2 of the kind that reads pictures of any shape. (Its fixed sizes are of type siglip_vision_model.)"""
    vision = {"model_type": "siglip2_vision_model", "num_patches": 4}
    return write_llava(tmp_path_factory.mktemp("siglip2"), vision=vision, before_patches=0)


def test_a_tower_that_llava_cannot_feed_is_refused_by_name(any_shape: Path, tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "samples")
    stage = {"name": "stage1", "kind": "dense", "steps": 1}
    doors = (
        lambda: skymoe.load(any_shape),
        lambda: upcycle(any_shape, tmp_path / "out"),
        lambda: Training(begun_from(any_shape, tmp_path / "run", samples, stage)).run(),
    )
    for door in doors:
        with pytest.raises(
            UserError, match=r"'siglip2_vision_model' needs pixel_attention_mask and spat"
        ) as caught:
            door()
        assert "\n" not in str(caught.value)


def test_a_decoder_stored_in_another_form_is_refused_by_name(tmp_path: Path) -> None:
    mixtral = {"model_type": "mixtral", "num_local_experts": 2, "num_key_value_heads": 2}
    base = write_llava(tmp_path / "base", text=mixtral)
    for experts, message in (
        (0, "'mixtral' computes with .* in another form"),
        (2, "'mixtral' has no Llama-like"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            upcycle(base, tmp_path / "out", num_experts=experts)
        assert "\n" not in str(caught.value)


def test_a_processor_that_does_not_fit_its_tower_is_refused(tmp_path: Path) -> None:
    parts = PARTS["dinov2_with_registers"] | {"before_patches": 1}
    with pytest.raises(UserError, match=r"room for 4 visual tokens .* the tower makes 6"):
        skymoe.load(write_llava(tmp_path, **parts)).caption(PICTURE)


def test_eager_attention_adds_its_mask(written: dict[str, Path]) -> None:
    decoder = LlavaForConditionalGeneration.from_pretrained(written["gemma2"]).model.language_model
    sees = torch.tensor([[[[True, False]]]])
    assert readable_mask(sees, decoder)[0, 0, 0].tolist() == [0.0, torch.finfo(torch.float32).min]
    other = LlavaForConditionalGeneration.from_pretrained(written["dinov2"]).model.language_model
    assert readable_mask(sees, other) is sees


def test_no_longer_text_is_read_than_a_sliding_window_shows() -> None:
    from transformers import Gemma2Config, LlamaConfig, MistralConfig, Qwen2Config

    assert longest_read(LlamaConfig(max_position_embeddings=64)) == 64
    assert longest_read(MistralConfig(max_position_embeddings=64, sliding_window=16)) == 16
    assert longest_read(Gemma2Config(max_position_embeddings=64, sliding_window=16)) == 16
    assert longest_read(Qwen2Config(max_position_embeddings=64, sliding_window=16)) == 64
