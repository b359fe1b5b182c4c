"""What a config.json promises is compared with what the weights hold before any of it takes memory.

A line of config.json can ask for terabytes, and the library makes room for all of it before it notices that the weights
are not there. Here the model is built without memory first, and only the headers of its weights are read.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from skymoe.errors import UserError

from .weight_files import listed, tensors

FLOATING = frozenset({"F64", "F32", "F16", "BF16"})
_LAYER_KEYS = frozenset(
    {"num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers", "depth"}
)
# No model has as many layers; up to here building one without memory takes seconds.
MOST_LAYERS = 1024
# Numbers that a model may have more than twice what its weights hold: what it lacks is then told by name.
_SLACK = 2**24
# The widest type has 8 bytes, and quantised weights have up to four numbers in each.
_MOST_PACKED = 32


@dataclass(frozen=True, slots=True)
class Held:
    """What the headers of a checkpoint's weights tell."""

    floats: int
    """Numbers that are stored as such."""
    packed: int
    """Numbers that tensors of other types could hold at most, were they quantised weights."""
    odd: dict[str, str]
    """Name → safetensors' code of each type that no model computes with."""


def held(folder: Path) -> Held:
    """Only headers are read. Raises as `weight_files.tensors`."""
    floats, packed, odd = 0, 0, {}
    for name, _, shape, code in tensors(folder):
        if code in FLOATING:
            floats += prod(shape)
        else:
            packed += prod(shape) * _MOST_PACKED
            odd[name] = code
    return Held(floats, packed, odd)


def check_promise(kind: Any, folder: Path, config: Any, have: Held, *, fresh: bool) -> frozenset[str]:
    """Refuse a checkpoint whose config.json tells of far more than its weights hold, or whose weights are no floats.

    Args:
        kind: the model's class or an Auto class, as for `from_pretrained`.
        fresh: whether new weights may be missing: then their number says nothing.

    Returns:
        The weights that config.json, in so many words, wants to be one with others.

    Raises:
        UserError: in one line, before memory is taken.
    """
    quantised = getattr(config, "quantization_config", None) is not None
    check_depth(config.to_dict(), folder)
    model = _without_memory(kind, config)
    if model is None:  # the library fails at the same place, and says why
        return frozenset()
    if have.odd and not quantised:
        _check_types(model, folder, have.odd)
    need = sum(one.numel() for one in chain(model.parameters(), model.buffers()))
    numbers = have.floats + (have.packed if quantised else 0)
    if need > 2 * numbers + _SLACK and not fresh:
        raise UserError(
            f"model {str(folder)!r} is not whole: its config.json tells of {need:,} numbers, its weights hold "
            f"{numbers:,}: fetch or save it again"
        )
    return frozenset(getattr(model, "all_tied_weights_keys", ())) if _ties(folder) else frozenset()


def _ties(folder: Path) -> bool:
    """Whether config.json itself says so: defaults have changed from release to release of the library."""
    config = _raw(folder)
    parts = [config, config.get("text_config")] if isinstance(config, dict) else []
    return any(part.get("tie_word_embeddings") is True for part in parts if isinstance(part, dict))


def _check_types(model: nn.Module, folder: Path, odd: dict[str, str]) -> None:
    # Counters and positions are integers by right, also where a newer class no longer keeps them.
    whole = {"position_ids", "num_batches_tracked"}
    whole |= {name.rpartition(".")[2] for name, one in model.named_buffers() if not one.is_floating_point()}
    odd = {name: code for name, code in odd.items() if name.rpartition(".")[2] not in whole}
    if odd:
        raise UserError(
            f"model {str(folder)!r} holds {len(odd)} tensors as {', '.join(sorted(set(odd.values()))[:3])} "
            f"({listed(odd)}): save it in float32, bfloat16 or float16, or with the quantization_config it was made by"
        )


def check_depth(config: Any, source: str | Path) -> None:
    """Refuse a configuration, as JSON reads it, of more layers than any model has: each costs time when it is built.

    Raises:
        UserError: names the key and its value.
    """
    for key, layers in _depths(config):
        if layers > MOST_LAYERS:
            raise UserError(
                f"{source}: config.json says {key}={layers:,}, more than {MOST_LAYERS:,}: fetch or save it again"
            )


def check_depth_in(folder: Path) -> None:
    """As `check_depth`, before the library makes lists as long; a file that can't be read is said by who reads it."""
    check_depth(_raw(folder), folder)


def _raw(folder: Path) -> Any:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return None


def _depths(config: Any) -> Iterator[tuple[str, int]]:
    if not isinstance(config, dict):
        return
    for key, value in config.items():
        if key in _LAYER_KEYS and isinstance(value, int):
            yield key, value
        elif isinstance(value, dict):
            yield from _depths(value)


def _without_memory(kind: Any, config: Any) -> nn.Module | None:
    """None where it cannot be built."""
    config = copy.deepcopy(config)  # building one writes its dtype into it
    try:
        with torch.device("meta"):
            model: nn.Module = (
                kind.from_config(config, trust_remote_code=False)
                if hasattr(kind, "from_config")
                else kind._from_config(config)
            )
    except Exception:
        return None
    return model


__all__ = ["Held", "check_depth", "check_depth_in", "check_promise", "held"]
