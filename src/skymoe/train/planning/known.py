"""Models and GPUs that can be named instead of described: dimensions of public configurations, the paper's stages.

From the public `config.json` of lmsys/vicuna-7b-v1.5 and -13b-v1.5, TinyLlama/TinyLlama-1.1B-Chat-v1.0 and
openai/clip-vit-large-patch14-336 (at the paper's 504 pixels), and from the makers' data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .architecture import Architecture, architecture
from .stage import Lora, StageSettings
from .units import GIB

CLIP_LARGE: dict[str, Any] = {
    "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "image_size": 504, "patch_size": 14,
}  # fmt: skip
DECODERS: dict[str, dict[str, Any]] = {
    "skymoe-7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32},
    "skymoe-13b": {
        "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40,
    },
    "skymoe-1b": {
        "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_key_value_heads": 4,
    },
}  # fmt: skip
RSMOE = ("rs-moe-1b", "rs-moe-3b", "rs-moe-7b")  # their stages: rsmoe/known.py
BASES = {"skymoe-7b": "Vicuna-7B", "skymoe-13b": "Vicuna-13B", "skymoe-1b": "TinyLlama-1.1B"}
STAGES = {
    "stage1": "LoRA (rank 64) on the decoder's query and value projections",
    "stage2": "experts and routers",
    "lora-experts": "LoRA (rank 16) on the experts, and the routers whole: for one GPU",
}
# The paper: AdamW, batches of 144, five epochs of 251 k instructions.
BATCH, SAMPLES, EPOCHS = 144, 251_000, 5.0
EXPERTS_AND_ROUTERS = (".mlp.experts.", ".mlp.router.")
EXPERT_TARGETS = ("experts.gate_up_proj", "experts.down_proj")


@dataclass(frozen=True, slots=True)
class Gpu:
    """Bytes, and FLOP/s of bfloat16 matrices without sparsity as the maker states them; `link`: bytes/s to others."""

    memory: int
    peak: float
    link: float


GPUS = {
    "a100-40g": Gpu(40 * GIB, 312e12, 300e9),
    "a100-80g": Gpu(80 * GIB, 312e12, 300e9),
    "h100-80g": Gpu(80 * GIB, 989e12, 450e9),
    "h200": Gpu(int(139.8 * GIB), 989e12, 450e9),
    "b200": Gpu(int(178 * GIB), 2250e12, 900e9),
    "l40s": Gpu(48 * GIB, 362e12, 32e9),
    "a6000": Gpu(48 * GIB, 155e12, 32e9),
    "rtx4090": Gpu(24 * GIB, 165e12, 32e9),
    "rtx3090": Gpu(24 * GIB, 71e12, 32e9),
}


def known_architecture(name: str) -> Architecture:
    """One of `DECODERS` with CLIP-L/14 at 504 pixels and the paper's eight experts in every second layer."""
    text = {"model_type": "llama", "vocab_size": 32000, **DECODERS[name]}
    return architecture({"model_type": "skymoe", "text_config": text, "vision_config": CLIP_LARGE}, name)


def known_stages(target: str) -> list[StageSettings] | None:
    """The stages of "skymoe-7b" (both of the paper) or "skymoe-7b-stage2" (one); None for a name not known."""
    for name in DECODERS:
        if target == name:
            return [paper_stage(known_architecture(name), kind) for kind in ("stage1", "stage2")]
        kind = target.removeprefix(f"{name}-")
        if kind in STAGES and kind != target:
            return [paper_stage(known_architecture(name), kind)]
    return None


def known_names() -> list[str]:
    several = [*RSMOE, *(f"{name}-{kind}" for name in RSMOE for kind in ("stage1", "stage2"))]
    return [*DECODERS, *(f"{name}-{kind}" for name in DECODERS for kind in STAGES), *several]


def paper_stage(model: Architecture, kind: str) -> StageSettings:
    """A stage as the paper trains it, of any model."""
    lora: Lora | None = None
    trains: tuple[str, ...] | None = None
    if kind == "stage1":
        model, lora = model.with_experts(0), Lora(64, ("q_proj", "v_proj"))
    elif kind == "lora-experts":
        lora, trains = Lora(16, EXPERT_TARGETS, dropout=0.0), (".mlp.router.",)
    else:
        trains = EXPERTS_AND_ROUTERS
    return StageSettings(
        kind, model, BATCH, trains=trains, lora=lora, samples=SAMPLES, epochs=EPOCHS, about=STAGES[kind]
    )
