"""RS-MoE-1B, -3B and -7B by name, and bases of recipes whose parts are known without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.train.recipe_rsmoe import EncoderStage, SpecialistStage

from ..known import RSMOE as NAMES
from ..stage import Asked, StageSettings
from .dimensions import RsMoeArchitecture, rsmoe_architecture
from .stages import LARGE, encoder, lengths_of, precision_of, specialists

KINDS = ("stage1", "stage2")
# RSICap's pictures, one caption each.
PICTURES, ASKED = 2585, {"caption": 1}
# What recipes/rs-moe-1b.yaml says of its stages, as far as a plan asks for it (a test compares).
STAGE1: dict[str, Any] = {
    "kind": "encoder", "name": "encoder", "epochs": 10, "batch_size": 64, "micro_batch": 4, "learning_rate": 1e-4,
    "gradient_checkpointing": True, "sub_tasks": 1,
}  # fmt: skip
STAGE2: dict[str, Any] = {
    "kind": "specialists", "name": "specialists", "epochs": 10, "batch_size": 64, "micro_batch": 2,
    "learning_rate": 2e-4, "gradient_checkpointing": True, "prompt_length": 8, "words": 200, "words_told": 6,
    "finding_length": 48, "lora_rank": 16, "lora_alpha": 32,
}  # fmt: skip
HUB_DECODERS = {
    "meta-llama/Llama-3.2-1B": "rs-moe-1b",
    "meta-llama/Llama-3.2-3B": "rs-moe-3b",
    "lmsys/vicuna-7b-v1.5": "rs-moe-7b",
}
INSTRUCTBLIP = "Salesforce/instructblip-"  # all of them have the same tower and Q-Former


def known_rsmoe(target: str) -> list[StageSettings] | None:
    """Both stages of "rs-moe-1b", or that of "rs-moe-1b-stage2"; None for another name."""
    name = next((name for name in NAMES if target in (name, *(f"{name}-{kind}" for kind in KINDS))), None)
    if name is None:
        return None
    first, second = EncoderStage.model_validate(STAGE1), SpecialistStage.model_validate(STAGE2)
    begun = known_encoder(name)
    planned = [
        StageSettings(
            kind, begun, stage.batch_size, samples=PICTURES, epochs=stage.epochs or 1.0, precision=precision_of("bf16"),
            asked=Asked("ddp", stage.micro_batch, stage.gradient_checkpointing),
        )
        for kind, stage in zip(KINDS, (first, second), strict=True)
    ]  # fmt: skip
    stages = [
        encoder(planned[0], first, begun, ASKED, LARGE),
        specialists(planned[1], second, begun, ASKED, LARGE),
    ]
    return [stage for stage in stages if target in (name, f"{name}-{stage.name}")]


def checkpoint_stage(config: dict[str, Any], name: str) -> list[StageSettings]:
    """The stage of an RS-MoE's configuration, learnt as the named ones are."""
    model = rsmoe_architecture(config, name)
    kind, settings = ("stage2", STAGE2) if model.names else ("stage1", STAGE1)
    stage = (SpecialistStage if model.names else EncoderStage).model_validate(settings)
    planned = StageSettings(
        kind,
        model,
        stage.batch_size,
        samples=PICTURES,
        epochs=stage.epochs or 1.0,
        precision=precision_of("bf16"),
    )
    lengths = lengths_of(model.decoder.vocabulary, {"rsicap"})
    if isinstance(stage, EncoderStage):
        return [encoder(planned, stage, model, ASKED, lengths)]
    return [specialists(planned, stage, model, ASKED, lengths)]


def known_encoder(name: str, called: str | None = None) -> RsMoeArchitecture:
    """The RS-MoE of that size before it has experts."""
    from skymoe.models.rsmoe import known_config

    return rsmoe_architecture(known_config(name, experts=False).to_dict(), called or name)


def rsmoe_base(model: str, decoder: str | None, name: str) -> RsMoeArchitecture | None:
    """What the first stage begins with on an RS-MoE or an InstructBLIP, by folder or hub id; None where `model` is
    neither.

    Raises:
        UserError: its decoder is neither here nor known.
    """
    config = _config(model)
    if config is None and model.startswith(INSTRUCTBLIP):
        config = {"model_type": "instructblip"}
    if config is None or config.get("model_type") not in ("instructblip", "rsmoe"):
        return None
    if config["model_type"] == "rsmoe":
        return rsmoe_architecture(config, name)
    text = decoder_config(decoder) if decoder else dict(config.get("text_config") or {})
    if not text:
        raise UserError(
            f"base.model {model!r} is not here: say base.decoder, one of {', '.join(HUB_DECODERS)}"
        )
    settings = {
        "vision_config": {"model_type": "instructblip_vision_model", **(config.get("vision_config") or {})},
        "qformer_config": dict(config.get("qformer_config") or {}),
        "text_config": text,
        "num_query_tokens": config.get("num_query_tokens", 32),
        "image_token_index": 0,
        "tie_word_embeddings": bool(text.get("tie_word_embeddings")),
    }
    return rsmoe_architecture(settings, name)


def decoder_config(name: str) -> dict[str, Any]:
    """The configuration of `base.decoder`, a folder or one of `HUB_DECODERS`.

    Raises:
        UserError: it is neither.
    """
    from skymoe.models.rsmoe.sizes import SIZES

    config = _config(name)
    if config is not None:
        return config
    if name not in HUB_DECODERS:
        raise UserError(
            f"base.decoder {name!r} is not here and not known: give a folder, or one of {', '.join(HUB_DECODERS)}"
        )
    return dict(SIZES[HUB_DECODERS[name]][0])


def _config(folder: str) -> dict[str, Any] | None:
    file = Path(folder) / "config.json"
    if not file.is_file():
        return None
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as JSON ({' '.join(str(error).split())})") from None
    return config if isinstance(config, dict) else None


__all__ = ["checkpoint_stage", "decoder_config", "known_encoder", "known_rsmoe", "rsmoe_base"]
