"""Put a trained model where the package looks for it: half precision, safetensors, its processor beside it.

`make ship-nano`, `make ship-rs-moe-nano`, or
`python -m skymoe.train.shipping runs/nano/stage2/model src/skymoe/assets/nano`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText

import skymoe.models  # noqa: F401  (registers the architectures with the Auto classes)
from skymoe.errors import UserError
from skymoe.models.whole_weights import read_model, read_processor

LARGEST = 60_000_000
KEPT = ("README.md",)  # the model card is written by hand and survives a new model


def ship(source: Path, target: Path) -> int:
    """Copy the model in `source` to `target` in half precision; returns the bytes written.

    Raises:
        UserError: when `source` holds no model, or what would be shipped is larger than the package may carry.
    """
    if not (source / "config.json").is_file():
        raise UserError(f"no trained model in {str(source)!r}: run make train-{target.name} first")
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    read_model(AutoModelForImageTextToText, source, dtype=torch.float16).save_pretrained(partial)
    read_processor(source).save_pretrained(partial)
    for name in KEPT:
        if (target / name).is_file():
            shutil.copy(target / name, partial / name)
    size = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
    if size > LARGEST:
        shutil.rmtree(partial)
        raise UserError(
            f"{source} takes {size / 1e6:.1f} MB in half precision; the package carries 60 MB at most"
        )
    for file in partial.iterdir():
        file.chmod(0o644)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return size


if __name__ == "__main__":
    try:
        print(f"{ship(Path(sys.argv[1]), Path(sys.argv[2])) / 1e6:.1f} MB")
    except UserError as error:
        sys.exit(str(error))
