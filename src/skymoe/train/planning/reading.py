"""What the command is given becomes stages to plan: a known name, a training recipe, a model configuration."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skymoe.errors import UserError

from .architecture import Architecture, architecture, read_config
from .known import known_names, known_stages, paper_stage
from .stage import PRECISIONS, Lora, StageSettings

ASSETS = Path(__file__).parents[2] / "assets"


@dataclass(frozen=True, slots=True)
class Changes:
    """What the command line says otherwise; None leaves a value as it is."""

    stage: str | None = None
    experts: int | None = None
    top_k: int | None = None
    batch_size: int | None = None
    steps: int | None = None
    samples: int | None = None
    epochs: float | None = None
    text_tokens: int | None = None
    answer_tokens: int | None = None
    train: tuple[str, ...] | None = None
    lora: int | None = None
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    precision: str | None = None


def read_stages(
    target: str, overrides: list[str] | None = None, changes: Changes | None = None
) -> list[StageSettings]:
    """The stages that `target` stands for, changed as asked.

    Raises:
        UserError: nothing is called so, or a change is impossible.
    """
    changes = changes or Changes()
    stages = _stages(target, overrides, changes.experts)
    return [apply(stage, changes) for stage in choose(stages, changes.stage)]


def choose(stages: list[StageSettings], wanted: str | None) -> list[StageSettings]:
    """Those called `wanted`, or all."""
    found = [stage for stage in stages if wanted in (None, stage.name)]
    if not found:
        raise UserError(f"--stage {wanted!r}: there are {', '.join(stage.name for stage in stages)}")
    return found


def _stages(target: str, overrides: list[str] | None, experts: int | None) -> list[StageSettings]:
    path = Path(target)
    if path.suffix in (".yaml", ".yml"):
        from .recipes import recipe_stages

        return recipe_stages(path, overrides)
    if overrides:
        raise UserError(f"--set {overrides[0]!r} changes a recipe; {target!r} is none")
    if (known := known_stages(target)) is not None:
        return known
    if target.startswith("rs-moe-"):
        from .rsmoe.known import known_rsmoe

        if (several := known_rsmoe(target)) is not None:
            return several
    if target in ("nano", "rs-moe-nano"):
        path = ASSETS / target
    if not path.exists():
        near = difflib.get_close_matches(target, known_names(), n=1)
        remedy = (
            f"did you mean {near[0]!r}?"
            if near
            else "give a recipe (.yaml), a checkpoint's folder, or one of "
        )
        raise UserError(
            f"{target!r} is neither a file nor a known name; {remedy}"
            + ("" if near else ", ".join(known_names()))
        )
    config, name = read_config(path)
    if config.get("model_type") == "rsmoe":
        from .rsmoe.known import checkpoint_stage

        return checkpoint_stage(config, name)
    model = architecture(config, name)
    if experts and not model.experts:  # a dense model that is to get experts
        model = model.with_experts(max(2, experts))
    return [paper_stage(model, "stage2" if model.experts else "stage1")]


def apply(stage: StageSettings, changes: Changes) -> StageSettings:
    """The stage with the changes. Other experts keep their layers."""
    given: dict[str, Any] = {}
    model = stage.architecture
    if not stage.changeable:
        for name in ("experts", "top_k", "train", "lora"):
            if getattr(changes, name) is not None:
                raise UserError(
                    f"--{name.replace('_', '-')} is for a SkyMoE; what learns in {model.name} its recipe says (--set)"
                )
    if model.experts and (changes.experts is not None or changes.top_k is not None):  # stage I stays dense
        given["architecture"] = _other_experts(model, changes)
    for name in ("batch_size", "text_tokens", "answer_tokens", "steps"):
        if (value := getattr(changes, name)) is not None:
            given[name] = value
    if changes.samples is not None or changes.epochs is not None:
        if changes.steps is not None:
            raise UserError("--steps says how long it is; leave out --samples and --epochs")
        given |= {"steps": None, "samples": changes.samples or stage.samples}
        given["epochs"] = changes.epochs if changes.epochs is not None else stage.epochs
    if changes.train is not None:
        given |= {"lora": None, "frozen": (), "trains": None if "all" in changes.train else changes.train}
        given["about"] = f"weights whose names contain {', '.join(changes.train)}"
        if "all" in changes.train:
            given["about"] = "everything"
    if changes.lora is not None:
        given["lora"] = Lora(changes.lora, changes.lora_targets) if changes.lora else None
        if changes.lora and changes.train is None:  # adapters in place of what learnt
            given["trains"] = None
        if changes.lora:
            given["about"] = f"LoRA (rank {changes.lora}) on {', '.join(changes.lora_targets)}"
    if changes.precision is not None:
        if changes.precision not in PRECISIONS:
            raise UserError(f"--precision {changes.precision!r} must be one of {', '.join(PRECISIONS)}")
        given["precision"] = PRECISIONS[changes.precision]
    changed = replace(stage, **given)
    if changed.answer_tokens > changed.text_tokens and not changed.tower_only:
        changed = replace(changed, answer_tokens=changed.text_tokens)
    return changed


def _other_experts(model: Architecture, changes: Changes) -> Architecture:
    layers = model.expert_layers or (0, 2)
    step = layers[1] - layers[0] if len(layers) > 1 else 1
    experts = model.experts if changes.experts is None else changes.experts
    if experts == 1:
        raise UserError("--experts 1 is a dense model with a router that has no choice: use 0")
    top_k = changes.top_k if changes.top_k is not None else min(model.top_k or 2, experts)
    return model.with_experts(experts, top_k, step, layers[0])
