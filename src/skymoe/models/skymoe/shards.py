"""Checkpoints larger than memory: tensors are read one at a time and written shard by shard, all in safetensors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from skymoe.errors import UserError

from ..weight_files import INDEX, WEIGHTS, open_weights, tensors
from ..whole_weights import check_finite

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class CheckpointReader:
    """The tensors of a checkpoint directory by name; nothing is read before `read` asks for it.

    Raises:
        UserError: no safetensors there (pickled weights are never opened), files missing, broken or quantised, or a
            tensor with NaN or infinity.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # name → file, shape, code of its type
        self._found = {name: (file, shape, code) for name, file, shape, code in tensors(folder)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._found[name][1]

    def dtype(self, name: str) -> torch.dtype:
        """Raises `UserError` for anything but a floating-point type, that is for quantised checkpoints."""
        code = self._found[name][2]
        if code not in DTYPES:
            raise UserError(
                f"{self.folder}: {name} is stored as {code}, a quantised type; give the unquantised model"
            )
        return DTYPES[code]

    def read(self, name: str) -> Tensor:
        # Opened anew each time: a file that stays open keeps all it was ever asked for mapped into memory.
        with open_weights(self._found[name][0]) as opened:
            tensor: Tensor = opened.get_tensor(name)
        check_finite([(name, tensor)], self.folder)
        return tensor


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor of the new checkpoint; `make` reads and computes it when its shard is written."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def parse_size(size: int | str) -> int:
    """Bytes of "2GB", "500MB" … (powers of ten, as Transformers counts)."""
    if isinstance(size, int):
        return size
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", size.upper())
    if match is None or float(match[1]) == 0:
        raise UserError(f"max_shard_size={size!r} is not a size: write it like '2GB' or '500MB'")
    return int(float(match[1]) * UNITS[match[2]])


def write_shards(folder: Path, tensors: list[PlannedTensor], max_shard_size: int | str) -> list[Path]:
    """Write `tensors` in their order into shards of at most `max_shard_size` (a larger tensor gets its own).

    Memory: one shard and what one `make` needs. Each file gets its name when it is complete, the index comes last.
    """
    limit = parse_size(max_shard_size)
    shards: list[list[PlannedTensor]] = [[]]
    for tensor in tensors:
        if shards[-1] and sum(t.nbytes for t in shards[-1]) + tensor.nbytes > limit:
            shards.append([])
        shards[-1].append(tensor)
    names = [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    if len(shards) == 1:
        names = [WEIGHTS]
    for name, shard in tqdm(list(zip(names, shards, strict=True)), unit="shard", disable=None):
        made = {}
        for planned in shard:
            weights = planned.make().to(planned.dtype).contiguous()
            assert tuple(weights.shape) == planned.shape, (planned.name, weights.shape, planned.shape)
            made[planned.name] = weights
        part = folder / f"{name}.part"
        save_file(made, part, metadata={"format": "pt"})
        part.rename(folder / name)
        del made
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors)},
            "weight_map": {t.name: name for name, shard in zip(names, shards, strict=True) for t in shard},
        }
        part = folder / f"{INDEX}.part"
        part.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
        part.rename(folder / INDEX)
    return [folder / name for name in names]
