"""Stage I and II of an RS-MoE as stages to plan: what learns, the rows of a picture, the model that comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from skymoe.errors import UserError
from skymoe.train.recipe_rsmoe import SPECIAL, EncoderStage, Resampler, SpecialistStage

from ..architecture import Architecture
from ..stage import PRECISIONS, Precision, StageSettings
from ..tensors import TOWER
from .dimensions import RowStage, RsMoeArchitecture, rsmoe_architecture


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of texts: what the template writes `before` the picture and around a question, the question itself, a
    sub-task, a word that it tells with its comma, answers."""

    before: int
    template: int
    question: int
    task: int
    word: int
    caption: int
    answer: int


# Counted in nano's vocabulary; in Llama's with the template of Vicuna, and RSICap's captions of sixty words.
SMALL = Lengths(before=1, template=2, question=8, task=14, word=2, caption=15, answer=3)
LARGE = Lengths(before=38, template=8, question=10, task=24, word=3, caption=85, answer=3)


LARGE_VOCABULARY = 8192
LONG_CAPTIONS = {"rsicap"}


def lengths_of(vocabulary: int, sources: set[str]) -> Lengths:
    """Of a decoder with that vocabulary, on data of those names."""
    if vocabulary <= LARGE_VOCABULARY:
        return SMALL
    return LARGE if sources & LONG_CAPTIONS else replace(LARGE, caption=SMALL.caption)


def encoder_config(base: Architecture, resampler: Resampler) -> dict[str, Any]:
    """The configuration of stage I's model from a SkyMoE's or LLaVA's, as `train.rsmoe.beginning.assemble` makes it."""
    config = dict(base.config or {})
    text = dict(config.get("text_config") or {})
    width = resampler.width or base.decoder.hidden
    layer = config.get("vision_feature_layer", -2)
    return {
        "vision_config": dict(config.get("vision_config") or {}),
        "vision_feature_layer": None if layer == -1 else layer,
        "vision_feature_select_strategy": config.get("vision_feature_select_strategy", "default"),
        "text_config": {**text, "vocab_size": base.decoder.vocabulary},
        "tie_word_embeddings": base.decoder.tied,
        "num_query_tokens": resampler.queries,
        "feature_width": resampler.feature_width,
        "image_token_index": config.get("image_token_index", 0),
        "qformer_config": {
            "hidden_size": width,
            "num_hidden_layers": resampler.layers,
            "num_attention_heads": resampler.head_count(width),
            "intermediate_size": 2 * width,
            "cross_attention_frequency": 1,
            "hidden_dropout_prob": resampler.dropout,
            "attention_probs_dropout_prob": resampler.dropout,
        },
    }


def encoder(
    planned: StageSettings, stage: EncoderStage, model: Architecture, asked: dict[str, int], lengths: Lengths
) -> RowStage:
    """Stage I on `model`: a SkyMoE's or LLaVA's parts, or an RS-MoE without experts. `asked`: questions by task.

    Raises:
        UserError: the model has experts, or its parts make no RS-MoE.
    """
    if isinstance(model, RsMoeArchitecture):
        if model.names:
            raise UserError(
                f"stage {stage.name!r}: {model.name} has experts already; plan kind 'specialists'"
            )
        begun = model
    else:
        begun = _made(stage.name, encoder_config(_dense(stage.name, model), stage.resampler), model.name)
    becomes = begun
    if stage.feature_width is not None:
        becomes = _made(
            stage.name, {**(begun.config or {}), "feature_width": stage.feature_width}, model.name
        )
    return _rows(
        planned, begun, asked, lengths, stage.sub_tasks, frozen=(TOWER,), becomes=becomes,
        about="all but the tower: Q-Former, projection, one decoder",
    )  # fmt: skip


def specialists(
    planned: StageSettings,
    stage: SpecialistStage,
    model: Architecture,
    asked: dict[str, int],
    lengths: Lengths,
) -> RowStage:
    """Stage II on stage I's model, or in one stage on parts that no stage I has taught.

    Raises:
        UserError: there was no stage I and the stage brings no resampler, or the parts make no RS-MoE.
    """
    if isinstance(model, RsMoeArchitecture):
        config = dict(model.config or {})
    elif stage.resampler is not None:
        config = encoder_config(_dense(stage.name, model), stage.resampler)
    else:
        raise UserError(
            f"stage {stage.name!r} specialises an RS-MoE: put a stage of kind 'encoder' before it, or for one-stage "
            "training say resampler and everything: true"
        )
    if not (isinstance(model, RsMoeArchitecture) and model.names):
        words = stage.words if stage.router == "instruction" else 0
        config |= {
            "expert_names": list(stage.experts),
            "expert_tasks": ["What?[ {words}]"] * len(stage.experts),
            "prompt_words": [[str(place) for place in range(words)] for _ in stage.experts],
            **{name: getattr(stage, name) for name in SETTINGS},
            "lora_targets": list(stage.lora_targets),
        }
    made = _made(stage.name, config, model.name)
    told = min(stage.words_told, max(made.words, default=0)) if made.instructed else 0
    notes = [f"each expert is told of {stage.words} words at the most"] if told else []
    if stage.generated:
        notes.append(
            f"in {stage.generated:.0%} of the steps the experts find by themselves: {made.finding_length} tokens "
            "each at the most, decoded without gradient, are in the arithmetic"
        )
    return _rows(
        replace(planned, notes=(*planned.notes, *notes)), made, asked, lengths, 0,
        trains=None if stage.everything else SPECIAL,
        frozen=(TOWER,),
        about="all but the tower, at once" if stage.everything else "router, soft prompts, the experts' adapters",
        head_tokens=lengths.before,
        task_tokens=lengths.task + told * lengths.word,
        found_tokens=made.finding_length,
        generated=stage.generated,
    )  # fmt: skip


SETTINGS = (
    "prompt_length", "words_told", "finding_length", "lora_rank", "lora_alpha", "router", "router_layers",
    "router_heads",
)  # fmt: skip


def _rows(
    planned: StageSettings, model: RsMoeArchitecture, asked: dict[str, int], lengths: Lengths, sub_tasks: int,
    **settings: Any,
) -> RowStage:  # fmt: skip
    """A picture's captions are one row, every other question one, every practised sub-task one."""
    captions = asked.get("caption", 0)
    questions = sum(asked.values()) - captions
    learnt = [captions * lengths.caption] * bool(captions) + [lengths.answer] * (questions + sub_tasks)
    if not learnt:
        raise UserError(f"stage {planned.name!r}: data.questions asks nothing")
    around = lengths.before + lengths.template + lengths.question
    notes = (
        f"rows a picture: {len(learnt)} at the most (the tower runs once), each as long as the longest, about {around} "
        f"tokens and {max(learnt)} of answers",
        *planned.notes,
        "skymoe train spreads no RS-MoE: it runs ddp; the others are what FSDP2 would take, decoding left out",
    )
    common = {
        name: getattr(planned, name)
        for name in ("name", "batch_size", "steps", "samples", "epochs", "asked", "precision")
    }
    return RowStage(
        **common, architecture=model, text_tokens=around + max(learnt), answer_tokens=ceil(sum(learnt) / len(learnt)),
        rows=len(learnt), instruction_tokens=lengths.question, notes=notes, **settings,
    )  # fmt: skip


def _dense(name: str, model: Architecture) -> Architecture:
    if model.experts:
        raise UserError(
            f"stage {name!r}: the decoder of {model.name} has experts inside; give the dense model it came from"
        )
    return model


def _made(stage: str, config: dict[str, Any], name: str) -> RsMoeArchitecture:
    try:
        return rsmoe_architecture(config, name)
    except ValueError as error:
        raise UserError(f"stage {stage!r}: {' '.join(str(error).split())}") from None


def precision_of(asked: str) -> Precision:
    """An RS-MoE is float32 at rest, also what is frozen, and computes in bfloat16 unless it is told not to."""
    return PRECISIONS["fp32" if asked == "fp32" else "bf16-autocast"]


__all__ = [
    "LARGE",
    "SMALL",
    "Lengths",
    "encoder",
    "encoder_config",
    "lengths_of",
    "precision_of",
    "specialists",
]
