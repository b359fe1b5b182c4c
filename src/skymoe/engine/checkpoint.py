"""A model's name or directory → `SkyMoe`, ready to answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from skymoe.engine.answering import SkyMoe
from skymoe.errors import UserError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
PACKAGED = ("nano", "rs-moe-nano")
KINDS = ("skymoe", "rsmoe", "llava")
"""Kinds of checkpoints that can be read."""
# Weights up to this many bytes are computed with in float32: exact, and on most CPUs the fastest.
SMALL = 4 * 2**30
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(model: str | os.PathLike[str] = "nano", device: str = "auto", dtype: str = "auto") -> SkyMoe:
    """Load a model that answers questions about pictures.

    Args:
        model: "nano" or "rs-moe-nano" (inside the package), the directory of a checkpoint, or the id of one on the
            Hugging Face hub. SkyMoE, RS-MoE and LLaVA checkpoints can be read.
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "cuda:1", "mps" …
        dtype: "auto" (float32 for small models, bfloat16 for large ones), "float32", "bfloat16" or "float16".

    Raises:
        UserError: in one line, for a model, device or dtype that is not there.
    """
    from skymoe.models.weight_files import weight_bytes

    directory = find(model)
    where = _device(device)
    if dtype != "auto" and dtype not in _DTYPES:
        raise UserError(f"unknown dtype {dtype!r}: choose auto, {', '.join(_DTYPES)}")
    kind = _kind(directory)
    small = weight_bytes(directory) <= SMALL
    precision = _DTYPES["float32" if small else "bfloat16"] if dtype == "auto" else _DTYPES[dtype]
    with _quietly():
        loaded, processor = _read(directory, kind, precision)
    if directory.parent == ASSETS:  # our own, and tested: nobody should wait for it
        return SkyMoe(loaded.to(where), processor, name=os.fspath(model))
    from skymoe.engine.probing import tried

    # A large model on a CPU would read one question for as long as it was loaded.
    return tried(loaded.to(where), processor, os.fspath(model), whole=small or where.type != "cpu")


def find(model: str | os.PathLike[str]) -> Path:
    """The directory of a packaged name, of a path, or of a hub id (downloaded where needed)."""
    name = os.fspath(model)
    if name in PACKAGED and not Path(name).is_dir():
        directory = ASSETS / name
        if not (directory / "config.json").is_file():
            raise UserError(
                f"the packaged model {name!r} is missing from this installation: reinstall skymoe"
            )
        return directory
    from skymoe.models.weight_files import fetch, is_folder, shown

    try:
        path = Path(name).expanduser()
    except RuntimeError:  # nobody of this name has a home here
        path = Path(name)
    if name and is_folder(path):
        try:
            there = (path / "config.json").is_file()
        except OSError as error:
            raise UserError(
                f"model {name!r} can't be read ({error.strerror}): allow it, or give another directory"
            ) from error
        if not there:
            raise UserError(
                f"model {name!r}: there is no config.json in this directory; give that of a checkpoint"
            )
        return path
    if name and path.exists():
        raise UserError(f"model {name!r} is a file: give the directory of a checkpoint")
    choices = f"give {', '.join(PACKAGED)}, the directory of a checkpoint or a hub id (owner/name)"
    if name.count("/") != 1 or not all(name.split("/")) or name.startswith((".", "~")):
        raise UserError(f"unknown model {shown(name)!r}: {choices}")
    try:
        return fetch(name)
    except (
        Exception
    ) as error:  # the hub's errors have no common base: no network, no such model, no right to it
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"unknown model {shown(name)!r}: no such directory, and the hub says: {reason}"
        ) from None


def _kind(directory: Path) -> str:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (ValueError, AttributeError, OSError, RecursionError) as error:
        raise UserError(f"model {str(directory)!r}: config.json cannot be read ({error})") from None
    if kind not in KINDS:
        raise UserError(f"model {str(directory)!r} is of type {kind!r}: only {', '.join(KINDS)} can be read")
    return kind


def _read(directory: Path, kind: str, dtype: torch.dtype) -> tuple[Any, Any]:
    import transformers

    import skymoe.models as models
    from skymoe.models.fitness import attention_of, tower_refusal
    from skymoe.models.weight_files import one_line
    from skymoe.models.whole_weights import read_config, read_model, read_processor

    model_class: Any = transformers.LlavaForConditionalGeneration
    processor_class: Any = transformers.LlavaProcessor
    if kind == "skymoe":
        model_class, processor_class = (
            models.skymoe.SkyMoeForConditionalGeneration,
            models.skymoe.SkyMoeProcessor,
        )
    elif kind == "rsmoe":
        model_class, processor_class = models.rsmoe.RsMoeForConditionalGeneration, models.rsmoe.RsMoeProcessor
    try:
        attention = {"text_config": attention_of(read_config(directory).get_text_config())}
        model = read_model(
            model_class, directory, dtype=dtype, attn_implementation=attention, local_files_only=True
        )
        processor = read_processor(directory, processor_class, local_files_only=True)
    except UserError:
        raise
    except Exception as error:  # damaged or missing files make the library raise nearly anything
        raise UserError(
            f"model {str(directory)!r} cannot be loaded, is a file missing or damaged? {one_line(error)}"
        ) from error
    if (refusal := tower_refusal(model.model.vision_tower)) is not None:
        raise UserError(f"model {str(directory)!r}: {refusal}")
    if processor.chat_template is None:
        raise UserError(f"model {str(directory)!r} has no chat template: add a chat_template.jinja")
    return model.eval(), processor


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception:
        raise UserError(f"device {name!r} is not there: choose auto, cpu, or one that PyTorch sees") from None
    return device


@contextmanager
def _quietly() -> Iterator[None]:
    """No progress bar for reading a file of a few megabytes."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
