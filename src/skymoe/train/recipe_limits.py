"""What stages may say of a decoder of a certain depth and width: told by their keys, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .recipe_rsmoe import EncoderStage, Resampler, SpecialistStage
from .recipe_stages import ExpertStage, Stage, TowerStage


def check_order(stages: Sequence[Stage]) -> None:
    """ValueError where experts are to be made of a dense model that no stage before them trains."""
    for place, stage in enumerate(stages):
        if isinstance(stage, ExpertStage):
            raise ValueError(
                f"stages.{place}.kind: experts are upcycled from a dense model; put a stage of kind 'dense' before it"
            )
        if not isinstance(stage, TowerStage):
            return


def check_limits(
    stages: Sequence[Stage], layers: int, width: int, tower: int | None = None, new_qformer: bool = True
) -> None:
    """ValueError for what a decoder of so many `layers` and such a `width` does not allow.

    `tower` is the width of the vision tower's features, where it is known. Without `new_qformer` the base brings its
    own, whatever a stage's resampler says.
    """
    specialised = False  # what has experts goes on with the router it has
    for place, stage in enumerate(stages):
        if isinstance(stage, ExpertStage) and stage.offset >= layers:
            raise ValueError(
                f"stages.{place}.offset: {stage.offset}, but the decoder has {layers} layers: give 0 to {layers - 1}"
            )
        if isinstance(stage, SpecialistStage) and not specialised:
            specialised = True
            if stage.router == "instruction" and width % stage.router_heads:
                raise ValueError(
                    f"stages.{place}.router_heads: {stage.router_heads} must divide the decoder's width of {width}"
                )
        if isinstance(stage, EncoderStage) and tower is not None and (stage.feature_width or 0) >= tower:
            raise ValueError(
                f"stages.{place}.feature_width: {stage.feature_width} narrows a tower of {tower}: give 1 to {tower - 1}"
            )
        resampler = getattr(stage, "resampler", None)
        if new_qformer and isinstance(resampler, Resampler) and resampler.width is None:
            heads = resampler.head_count(width)
            if width % heads:
                raise ValueError(
                    f"stages.{place}.resampler.heads: {heads} must divide {width}, the decoder's width, which the "
                    "Q-Former has where resampler.width says no other"
                )


def check_same_experts(stages: Sequence[Stage], config: Any, base: str) -> None:
    """ValueError where a stage asks for other experts than the base `config` brings, which no stage changes."""
    has = {"experts": config.num_experts, "top_k": config.num_experts_per_tok}
    if config.moe_layers is None:
        has |= {"interval": config.moe_layer_interval, "offset": config.moe_layer_offset}
    for place, stage in enumerate(stages):
        for key in sorted(has.keys() & stage.model_fields_set):
            if isinstance(stage, ExpertStage) and getattr(stage, key) != has[key]:
                raise ValueError(
                    f"stages.{place}.{key}: {getattr(stage, key)}, but {base} has experts already, with {key} "
                    f"{has[key]}, which no stage changes: leave it out"
                )
