"""Dense checkpoint → SkyMoE checkpoint: every layout of names, every weight, the processor, nothing half-written."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoProcessor, LlavaConfig, LlavaForConditionalGeneration

from skymoe.models.skymoe import SkyMoeForConditionalGeneration, SkyMoeProcessor
from skymoe.models.skymoe.upcycling import upcycle

from .tiny_models import (
    SIDE,
    pixels,
    question,
    shared_settings,
    skymoe,
    skymoe_processor,
    write_llava_processor,
)

INPUTS = {"input_ids": question(), "pixel_values": pixels()}


def save_llava(folder: Path, text: dict | None = None, **saving) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(LlavaConfig(**shared_settings(text))).eval()
    model.save_pretrained(folder, **saving)
    return model


def rename(folder: Path, *patterns: tuple[str, str]) -> None:
    state = load_file(folder / "model.safetensors")
    for pattern, to in patterns:
        state = {re.sub(pattern, to, name): tensor for name, tensor in state.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def load(folder: Path) -> SkyMoeForConditionalGeneration:
    """The model of `folder`, after checking that no weight is missing or left over."""
    model, info = SkyMoeForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


LAYOUTS = {
    "as Transformers 5 writes it": [],
    "as on the hub": [(r"^vision_tower\.", "vision_tower.vision_model.")],
    "as Transformers 4.52 wrote it": [
        (r"^language_model\.lm_head", "lm_head"),
        (r"^language_model\.model\.", "model.language_model."),
        (r"^vision_tower\.", "model.vision_tower.vision_model."),
        (r"^multi_modal_projector", "model.multi_modal_projector"),
    ],
    "as the new names": [
        (r"^language_model\.lm_head", "lm_head"),
        (r"^language_model\.model\.", "model.language_model."),
        (r"^(vision_tower|multi_modal_projector)", r"model.\1"),
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@torch.no_grad()
def test_every_layout_of_names(tmp_path, layout) -> None:
    dense = save_llava(tmp_path / "base")
    rename(tmp_path / "base", *layout)
    upcycle(tmp_path / "base", tmp_path / "out")
    torch.testing.assert_close(
        load(tmp_path / "out")(**INPUTS).logits, dense(**INPUTS).logits, rtol=1e-4, atol=1e-5
    )


def test_every_expert_is_a_clone_and_the_rest_is_kept(tmp_path) -> None:
    save_llava(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "out", num_experts=3, interval=3)
    assert result.expert_layers == [0, 3]
    old, new = load_file(tmp_path / "base/model.safetensors"), load_file(tmp_path / "out/model.safetensors")
    ffn = "language_model.model.layers.{}.mlp.{}.weight"
    for layer in result.expert_layers:
        gate, up, down = (old.pop(ffn.format(layer, part)) for part in ("gate_proj", "up_proj", "down_proj"))
        moe = f"model.language_model.layers.{layer}.mlp"
        for expert in range(3):
            assert torch.equal(new[f"{moe}.experts.gate_up_proj"][expert], torch.cat([gate, up]))
            assert torch.equal(new[f"{moe}.experts.down_proj"][expert], down)
        for part in ("experts.gate_up_proj", "experts.down_proj", "router.weight"):
            del new[f"{moe}.{part}"]
    assert len(old) == len(new)
    for name, tensor in old.items():
        renamed = name.replace("language_model.model", "language_model").replace(
            "language_model.lm_head", "lm_head"
        )
        assert torch.equal(new[renamed if renamed == "lm_head.weight" else f"model.{renamed}"], tensor)


def routers(folder: Path) -> list[Tensor]:
    state = load_file(folder / "model.safetensors")
    return [state[f"model.language_model.layers.{layer}.mlp.router.weight"] for layer in (0, 2)]


def test_routers_are_random_by_seed_and_of_the_wished_spread(tmp_path) -> None:
    save_llava(tmp_path / "base")
    for name, settings in {"a": {}, "b": {}, "c": {"seed": 1}, "d": {"router_std": 2.0}}.items():
        upcycle(tmp_path / "base", tmp_path / name, **settings)
    a, b, c, d = (routers(tmp_path / name) for name in "abcd")
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(a[0], a[1])
    assert not torch.equal(a[0], c[0])
    assert torch.cat(a).std() == pytest.approx(0.2, rel=0.1)
    torch.testing.assert_close(torch.cat(d), torch.cat(a) * 10)


def test_sharded_in_and_out(tmp_path) -> None:
    save_llava(tmp_path / "base", max_shard_size="30KB")
    assert (tmp_path / "base/model.safetensors.index.json").is_file()
    result = upcycle(tmp_path / "base", tmp_path / "out", max_shard_size="60KB", num_experts=2)
    whole = upcycle(tmp_path / "base", tmp_path / "whole", num_experts=2)
    index = json.loads((tmp_path / "out/model.safetensors.index.json").read_text())
    files = sorted((tmp_path / "out").glob("*.safetensors"))
    assert result.shards == len(files) > 3
    assert set(index["weight_map"].values()) == {file.name for file in files}
    assert index["metadata"]["total_size"] == result.bytes == whole.bytes
    assert all(sum(t.nbytes for t in load_file(file).values()) <= 60_000 for file in files)
    assert whole.shards == 1
    one, many = load(tmp_path / "whole").state_dict(), load(tmp_path / "out").state_dict()
    assert all(torch.equal(one[name], many[name]) for name in one)


def test_type_of_the_new_weights(tmp_path) -> None:
    save_llava(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "out", dtype="bfloat16")
    assert result.bytes == 2 * result.total
    assert {t.dtype for t in load_file(tmp_path / "out/model.safetensors").values()} == {torch.bfloat16}
    model = load(tmp_path / "out")
    assert (model.dtype, model.config.dtype) == (torch.bfloat16, torch.bfloat16)


def test_counts(tmp_path) -> None:
    save_llava(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "out", num_experts=4, top_k=2)
    model = load(tmp_path / "out")
    assert result.total == sum(p.numel() for p in model.parameters())
    ffn = 3 * 32 * 48
    assert result.experts == 2 * (4 * ffn + 4 * 32)
    assert result.activated == result.total - 2 * 2 * ffn


@torch.no_grad()
def test_tied_embeddings(tmp_path) -> None:
    dense = save_llava(tmp_path / "base", text={"tie_word_embeddings": True})
    assert "language_model.lm_head.weight" not in load_file(tmp_path / "base/model.safetensors")
    upcycle(tmp_path / "base", tmp_path / "out")
    model = load(tmp_path / "out")
    assert model.lm_head.weight is model.get_input_embeddings().weight
    torch.testing.assert_close(model(**INPUTS).logits, dense(**INPUTS).logits, rtol=1e-4, atol=1e-5)


def test_buffers_that_older_versions_saved_are_dropped(tmp_path) -> None:
    save_llava(tmp_path / "base")
    state = load_file(tmp_path / "base/model.safetensors")
    state["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    state["language_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(state, tmp_path / "base/model.safetensors")
    upcycle(tmp_path / "base", tmp_path / "out")
    load(tmp_path / "out")


def test_llava_processor_becomes_a_square_skymoe_processor(tmp_path) -> None:
    save_llava(tmp_path / "base")
    write_llava_processor(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "out", image_size=3 * SIDE)
    assert result.processor
    processor, model = AutoProcessor.from_pretrained(tmp_path / "out"), load(tmp_path / "out")
    assert isinstance(processor, SkyMoeProcessor)
    pictures = processor.image_processor
    assert (pictures.size["height"], pictures.size["width"]) == (84, 84)
    assert not pictures.do_center_crop
    assert processor.image_seq_length == model.config.image_seq_length == result.image_tokens == 36
    inputs = processor(
        images=[torch.zeros(3, 20, 90).byte()], text="<image> what is this", return_tensors="pt"
    )
    assert inputs["pixel_values"].shape == (1, 3, 84, 84)
    assert model(**inputs).logits.isfinite().all()
    assert (tmp_path / "out/generation_config.json").is_file()


@torch.no_grad()
def test_stage_one_of_our_own_with_its_processor(tmp_path) -> None:
    dense = skymoe(num_experts=0)
    dense.save_pretrained(tmp_path / "base")
    skymoe_processor().save_pretrained(tmp_path / "base")
    result = upcycle(tmp_path / "base", tmp_path / "out")
    assert (result.image_size, result.image_tokens) == (SIDE, 4)
    torch.testing.assert_close(
        load(tmp_path / "out")(**INPUTS).logits, dense(**INPUTS).logits, rtol=1e-4, atol=1e-5
    )
    old, new = (
        AutoProcessor.from_pretrained(tmp_path / "base"),
        AutoProcessor.from_pretrained(tmp_path / "out"),
    )
    assert new.image_processor.to_dict() == old.image_processor.to_dict()
    assert new.chat_template == old.chat_template
