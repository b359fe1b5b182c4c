"""A training recipe as stages to plan: its model, what learns, how long, in the formats that `skymoe train` uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.train.recipe import (
    RSMOE_STAGES,
    DenseStage,
    EncoderStage,
    ExpertStage,
    LoraStage,
    Recipe,
    SpecialistStage,
    TowerStage,
    load_recipe,
)

from .architecture import Architecture, architecture, read_architecture
from .known import DECODERS, SAMPLES, known_architecture
from .stage import PRECISIONS, Asked, Lora, StageSettings
from .tensors import TOWER

ASSETS = Path(__file__).parents[2] / "assets"
# A question with its answer and its template in nano's vocabulary, and what of it is learnt.
TOKENS_PER_QUESTION, TOKENS_PER_ANSWER = 22, 8
UNKNOWN_SAMPLES = 1000
STRATEGY_OF = {"ddp": "ddp", "fsdp": "fsdp", "experts": "ep"}
# Checkpoints whose dimensions are known without a network: the decoder, and its vocabulary with LLaVA's own tokens.
HUB = {"llava-hf/llava-1.5-7b-hf": ("skymoe-7b", 32064), "llava-hf/llava-1.5-13b-hf": ("skymoe-13b", 32064)}


def recipe_stages(path: Path, overrides: list[str] | None = None) -> list[StageSettings]:
    """The stages of a training recipe, planned as `skymoe train` would run them.

    Raises:
        UserError: the recipe is wrong, or its base is not here and not known.
    """
    recipe = load_recipe(path, overrides)
    if recipe.base is not None:
        model = _base(recipe, path)
    else:
        assert recipe.model is not None
        model = _small_model(recipe.model.text, recipe.model.vocabulary, recipe.name)
    stages = []
    for stage in recipe.stages:
        planned = _lengths(recipe, stage, model)
        if isinstance(stage, TowerStage):
            planned = replace(
                planned, tower_only=True, text_tokens=0, answer_tokens=0, about="the vision tower", notes=()
            )
        elif isinstance(stage, DenseStage):
            frozen = () if stage.tower_learning_rate else _taught_before(model)
            planned = replace(planned, frozen=frozen, trains=tuple(stage.train) or None)
        elif isinstance(stage, LoraStage):
            planned = replace(planned, lora=_lora(stage.lora), trains=tuple(stage.train) or None)
            planned = replace(planned, about=_adapters(stage.lora))
        elif isinstance(stage, ExpertStage):
            planned, model = _experts(planned, stage, model)
        elif isinstance(stage, RSMOE_STAGES):
            planned = _rsmoe(recipe, planned, stage, model)
            model = planned.result
        stages.append(planned)
    return stages


def _experts(
    planned: StageSettings, stage: ExpertStage, model: Architecture
) -> tuple[StageSettings, Architecture]:
    """A model that has experts already goes on with them."""
    if not model.experts:
        model = model.with_experts(stage.experts, stage.top_k, stage.interval, stage.offset)
    about = f"weights whose names contain {', '.join(stage.train)}"
    lora = None
    if stage.lora is not None:
        lora, about = _lora(stage.lora), f"{_adapters(stage.lora)}, and {about}"
    planned = replace(planned, architecture=model, trains=tuple(stage.train), lora=lora, about=about)
    return replace(planned, kernel=stage.implementation), model


def _rsmoe(
    recipe: Recipe, planned: StageSettings, stage: EncoderStage | SpecialistStage, model: Architecture
) -> StageSettings:
    from skymoe.data.sources import source_class

    from .rsmoe.stages import encoder, lengths_of, precision_of, specialists

    sources = {source.name for source in recipe.data.sources}
    lengths = lengths_of(model.decoder.vocabulary, sources)
    asked = recipe.data.questions | stage.questions
    planned = replace(planned, precision=precision_of(recipe.precision), notes=planned.notes[:-1])
    counts = [source_class(one.name).counts.get(one.split) for one in recipe.data.sources]
    if planned.samples is not None and all(counts):
        planned = replace(planned, samples=sum(filter(None, counts)), notes=())
    if isinstance(stage, EncoderStage):
        return encoder(planned, stage, model, asked, lengths)
    return specialists(planned, stage, model, asked, lengths)


def _lengths(recipe: Recipe, stage: Any, model: Architecture) -> StageSettings:
    """What all kinds of stages say: how long, how much at a time, in which formats."""
    notes: list[str] = []
    samples = None
    if stage.steps is None:
        samples, told = _samples(recipe)
        notes += told
    text, answer = 64, 16
    if recipe.data.corpus is None:
        questions = sum((recipe.data.questions | stage.questions).values())
        text, answer = questions * TOKENS_PER_QUESTION, questions * TOKENS_PER_ANSWER
        notes.append(f"{questions} questions a picture at the most, about {TOKENS_PER_QUESTION} tokens each")
    # A base computes in bfloat16 and keeps so what is frozen; sharded, layers are gathered so. A new model is float32.
    precision = "bf16" if recipe.base is not None else "bf16-autocast"
    return StageSettings(
        stage.name,
        model,
        stage.batch_size,
        steps=stage.steps,
        samples=samples,
        epochs=stage.epochs or 1.0,
        text_tokens=text,
        answer_tokens=answer,
        precision=PRECISIONS["fp32" if recipe.precision == "fp32" else precision],
        asked=Asked(STRATEGY_OF[recipe.parallel], stage.micro_batch, stage.gradient_checkpointing),
        notes=tuple(notes),
    )


def _samples(recipe: Recipe) -> tuple[int, list[str]]:
    """Samples of an epoch, and what to say of that number."""
    corpus = recipe.data.corpus
    if corpus is None:
        return UNKNOWN_SAMPLES, [
            f"{UNKNOWN_SAMPLES:,} samples stand for data that were not counted (--samples)"
        ]
    if (corpus / "manifest.json").is_file():
        from skymoe.data.corpus.manifest import load_manifest

        return int(load_manifest(corpus)["items"]), []
    return SAMPLES, [f"{corpus} is not built: the paper's {SAMPLES:,} samples stand for it (--samples)"]


def _base(recipe: Recipe, path: Path) -> Architecture:
    """The architecture of a recipe's base: a folder, a known hub id, or what a recipe beside this one will make."""
    assert recipe.base is not None
    name, side = recipe.base.model, recipe.base.image_size
    decoder = recipe.base.decoder
    if isinstance(recipe.stages[0], RSMOE_STAGES):
        from .rsmoe.known import rsmoe_base

        if (ready := rsmoe_base(name, decoder, recipe.name)) is not None:
            return ready
    folder = ASSETS / "nano" if name == "nano" else Path(name)
    if (folder / "config.json").is_file():
        model = read_architecture(folder, recipe.name)
    elif name in HUB:
        known, vocabulary = HUB[name]
        config = dict(known_architecture(known).config or {})
        text = {**config["text_config"], "vocab_size": vocabulary}
        vision = {**config["vision_config"], "image_size": 336}
        model = architecture(
            {**config, "text_config": text, "vision_config": vision, "num_experts": 0}, recipe.name
        )
    else:
        made = _made_by_neighbour(path, name)
        if made is None:
            raise UserError(
                f"base.model {name!r} is not here, and no recipe beside {path} makes it: plan its config.json, or "
                f"one of {', '.join(DECODERS)}"
            )
        model = replace(made, name=recipe.name)
    if decoder is not None:
        from .rsmoe.known import decoder_config

        config = {**(model.config or {}), "text_config": decoder_config(decoder), "num_experts": 0}
        model = architecture(config, recipe.name)
    return model if side is None else _resized(model, side)


def _made_by_neighbour(path: Path, wanted: str) -> Architecture | None:
    """The model of the stage whose result another recipe's base names: stage II is planned before stage I has run."""
    for file in sorted(path.parent.glob("*.y*ml")):
        if file.samefile(path):
            continue
        try:
            recipe = load_recipe(file)
        except UserError:  # a recipe of another kind
            continue
        results = {str(recipe.output / stage.name / "model"): stage.name for stage in recipe.stages}
        if (stage_name := results.get(str(Path(wanted)))) is not None:
            return next(stage.result for stage in recipe_stages(file) if stage.name == stage_name)
    return None


def _resized(model: Architecture, side: int) -> Architecture:
    config: Mapping[str, Any] = model.config or {}
    vision = {**config.get("vision_config", {}), "image_size": side}
    return architecture({**config, "vision_config": vision}, model.name)


def _small_model(text: dict[str, Any], vocabulary: int, name: str) -> Architecture:
    """The dense model of a recipe; what its tower tells depends on the data, so the shipped one stands for it."""
    shipped = json.loads((ASSETS / "nano" / "config.json").read_text(encoding="utf-8"))
    changed = {"text_config": {"model_type": "llama", "vocab_size": vocabulary, **text}, "num_experts": 0}
    return architecture(shipped | changed, name)


def _taught_before(model: Architecture) -> tuple[str, ...]:
    """What of the tower stays as it is: all of a transformer's, of nano's the parts that learnt before."""
    if model.tower.known:
        return (TOWER,)
    from skymoe.train.learning import TAUGHT_BEFORE

    return tuple(TOWER + part for part in TAUGHT_BEFORE)


def _lora(lora: Any) -> Lora:
    return Lora(lora.rank, tuple(lora.names), lora.dropout)


def _adapters(lora: Any) -> str:
    return f"LoRA (rank {lora.rank}) on {', '.join(lora.names)}"
