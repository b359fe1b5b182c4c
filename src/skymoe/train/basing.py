"""The checkpoint a recipe starts from: a folder or a hub id becomes a SkyMoE with pictures of the wished size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.models.skymoe import SkyMoeConfig, SkyMoeProcessor
from skymoe.models.skymoe.upcycling import upcycle
from skymoe.models.trying import part, try_processor
from skymoe.models.weight_files import is_folder
from skymoe.models.whole_weights import read_config, read_processor

from .checkpoints import save_whole
from .processes import by_one
from .recipe import Base, Recipe, Stage
from .recipe_limits import check_limits, check_same_experts
from .templates import set_template

ASSETS = Path(__file__).parents[1] / "assets"


def open_base(base: Base, output: Path) -> tuple[str, SkyMoeProcessor]:
    """The model to start from (a folder or hub id) and its processor with the wished template.

    A LLaVA checkpoint, or one whose pictures grow, is written to `output/base` as a dense SkyMoE, once.

    Raises:
        UserError: there is no such checkpoint, it is of another kind, or lacks its processor.
    """
    name = folder_of(base.model)
    config = base_config(name)
    ready = config.model_type == SkyMoeConfig.model_type
    grows = base.image_size not in (None, getattr(config.vision_config, "image_size", None))
    folder, kept = output / "base", output / "processor"
    if not ready or grows:
        if getattr(config, "num_experts", 0):
            raise UserError(
                f"base.image_size: {name} has experts already; enlarge the dense model it came from"
            )
        by_one(lambda: folder.is_dir() or upcycle(name, folder, num_experts=0, image_size=base.image_size))
    model = name if ready and not grows else str(folder)

    def keep_processor() -> None:
        if not kept.is_dir():
            processor = _processor(model)
            set_template(processor, base.template)
            save_whole(kept, processor.save_pretrained)

    by_one(keep_processor)
    return model, read_processor(kept)


def check_stages(recipe: Recipe) -> None:
    """What the stages say must be possible with the base. Its configuration and processor are read, no weights.

    Raises:
        UserError: it is not, naming the key; or there is no such base, or it could read no question on a picture.
    """
    if recipe.base is None:
        return
    config = base_config(folder_of(recipe.base.model))
    text = config.text_config if hasattr(config, "text_config") else config
    if recipe.base.decoder is not None:
        decoder = base_config(folder_of(recipe.base.decoder), "base.decoder")
        text = decoder.text_config if hasattr(decoder, "text_config") else decoder
    tower = getattr(getattr(config, "vision_config", None), "hidden_size", None)
    stages: Sequence[Stage] = recipe.stages
    try:
        if getattr(config, "num_experts", 0):
            if config.model_type == SkyMoeConfig.model_type:
                check_same_experts(stages, config, f"base.model {recipe.base.model}")
        elif hasattr(text, "num_hidden_layers") and hasattr(text, "hidden_size"):
            new = config.model_type not in ("rsmoe", "instructblip")
            check_limits(stages, text.num_hidden_layers, text.hidden_size, tower, new)
    except ValueError as error:
        raise UserError(str(error)) from None
    if recipe.base.decoder is None and config.model_type in ("llava", SkyMoeConfig.model_type):
        name = folder_of(recipe.base.model)
        processor = _any_processor(name)
        set_template(processor, recipe.base.template)
        try_processor(processor, config, text.vocab_size, f"base.model {name!r}")
        if config.model_type == SkyMoeConfig.model_type:
            with part(f"base.model {name!r}", "picture settings", "mend processor_config.json"):
                if (tokens := processor.image_seq_length) < 1:
                    raise ValueError(f"a picture takes {tokens} tokens")


def folder_of(model: str) -> str:
    """Where a base lies: nano in the package."""
    return str(ASSETS / "nano") if model == "nano" else model


def base_config(model: str, key: str = "base.model") -> Any:
    """The configuration of a checkpoint that a recipe names under `key`.

    Raises:
        UserError: there is none, or it can't be read.
    """
    if not is_folder(model) and (Path(model).exists() or model.count("/") != 1):
        made_by = re.match(r"runs/([\w.-]+)/", model)
        remedy = f"`skymoe train recipes/{made_by[1]}.yaml` makes it, or " if made_by else ""
        raise UserError(
            f"{key}: {model!r} is no folder; {remedy}give a checkpoint's folder, nano, or a hub id such as owner/model"
        )
    try:
        return read_config(model)
    except (ValueError, KeyError, OSError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{key}: {model!r} can't be read ({reason})") from error


def _any_processor(model: str) -> Any:
    try:
        return read_processor(model)
    except (ValueError, KeyError, OSError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"base.model: {model!r} has no processor ({reason}): put its tokenizer and picture settings beside it"
        ) from error


def _processor(model: str) -> SkyMoeProcessor:
    processor = _any_processor(model)
    if not isinstance(processor, SkyMoeProcessor):
        raise UserError(
            f"base.model: {model!r} has a {type(processor).__name__}, not the processor of a SkyMoE"
        )
    return processor
