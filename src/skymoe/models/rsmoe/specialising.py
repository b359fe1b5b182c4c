"""Stage I's single decoder becomes E experts: stage II starts here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from skymoe.errors import UserError

from ..whole_weights import read_config, read_model, read_processor
from .configuration_rsmoe import EXPERT_NAMES, EXPERT_TASKS, LORA_TARGETS, RsMoeConfig
from .processing_rsmoe import RsMoeProcessor
from .sub_tasks import task_tokens

# What stage II has and stage I has not.
_NEW_SETTINGS = {"router", "router_layers", "router_heads", "sub_task_coef", "word_coef"}
_NEW_WEIGHTS = ("model.router.", ".lora_a", ".lora_b")


def specialise(
    stage1: str | Path,
    out: str | Path,
    *,
    expert_names: Sequence[str] = EXPERT_NAMES,
    expert_tasks: Sequence[str] = EXPERT_TASKS,
    prompt_words: Sequence[Sequence[str]] | None = None,
    prompt_length: int = 4,
    words_told: int = 4,
    finding_length: int = 12,
    lora_rank: int = 16,
    lora_alpha: float = 32,
    lora_targets: Sequence[str] = LORA_TARGETS,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Write stage II's starting checkpoint with its processor: adapters at zero, router fresh from `seed`, all else
    that of the RS-MoE without experts in `stage1`.

    Args:
        prompt_words: for each expert the words the router may tell it; None for no words.
        settings: router, router_layers, router_heads, sub_task_coef, word_coef of `RsMoeConfig`.

    Raises:
        UserError: `stage1` is no RS-MoE of stage I, `out` is in use, or the wished form is impossible.
    """
    from .generation_rsmoe import RsMoeForConditionalGeneration

    stage1, out = Path(stage1), Path(out).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not an empty directory: choose another place for the new model")
    if unknown := sorted(set(settings) - _NEW_SETTINGS):
        raise UserError(
            f"{unknown[0]!r} is no setting of stage II: it has {', '.join(sorted(_NEW_SETTINGS))}"
        )
    if not (stage1 / "config.json").is_file():
        raise UserError(f"{stage1} has no config.json: give the folder of stage I's model")
    old = read_config(stage1)
    if not isinstance(old, RsMoeConfig) or old.num_experts:
        kind = f"has experts already {old.expert_names}" if isinstance(old, RsMoeConfig) else old.model_type
        raise UserError(f"{stage1} is no RS-MoE of stage I ({kind}): give the model without experts")
    words = [list(some) for some in (prompt_words or [() for _ in expert_names])]
    if not len(expert_names) == len(expert_tasks) == len(words):
        raise UserError(
            f"{len(expert_names)} experts, {len(expert_tasks)} tasks and {len(words)} word lists: give one of each"
        )
    processor = read_processor(stage1, RsMoeProcessor)
    tokens = task_tokens(processor, list(expert_tasks), words)
    kept = {k: v for k, v in old.to_dict().items() if k not in ("model_type", "transformers_version")}
    try:
        config = RsMoeConfig(
            **{
                **kept,
                "expert_names": list(expert_names),
                "expert_tasks": list(expert_tasks),
                "prompt_words": words,
                "prompt_length": prompt_length,
                "words_told": words_told,
                "finding_length": finding_length,
                "lora_rank": lora_rank,
                "lora_alpha": lora_alpha,
                "lora_targets": list(lora_targets),
                **settings,
                **tokens.settings(),
            }
        )
        torch.manual_seed(seed)
        model = read_model(RsMoeForConditionalGeneration, stage1, fresh=_NEW_WEIGHTS, config=config)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    processor.image_tokens, processor.finding_length = config.image_seq_length, config.finding_length
    unfinished = out.with_name(f"{out.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        model.save_pretrained(unfinished)
        processor.save_pretrained(unfinished)
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return out


__all__ = ["specialise"]
