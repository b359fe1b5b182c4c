"""Checkpoints on the disk, damaged on purpose: each way with what the refusal has to say."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

INDEX = "model.safetensors.index.json"
NORM = "model.language_model.norm.weight"
FFN = "model.language_model.layers.1.mlp.up_proj.weight"


@dataclass
class Payload:
    """What unpickling this runs: it makes the file `marker`."""

    marker: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def save_sharded(model: Any, folder: Path) -> Path:
    """Into several files with an index, whatever its size."""
    size = sum(weight.nbytes for weight in model.state_dict().values())
    model.save_pretrained(folder, max_shard_size=size // 3)
    assert len(shards(folder)) > 1
    return folder


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model*.safetensors"))


def change(folder: Path, edit: Callable[[dict[str, Tensor]], Any]) -> None:
    """Edit the tensors of whichever file holds them; the index stays as it is."""
    for file in shards(folder):
        state = load_file(file)
        if NORM in state or FFN in state:
            edit(state)
            save_file(state, file, metadata={"format": "pt"})


def change_index(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    index = json.loads((folder / INDEX).read_text())
    edit(index)
    (folder / INDEX).write_text(json.dumps(index))


def point_index_at(folder: Path, name: Any) -> None:
    """The file that holds the norm is called `name` in the index; the true one lies outside, too."""
    held = json.loads((folder / INDEX).read_text())["weight_map"][NORM]
    (folder.parent / "outside.safetensors").write_bytes((folder / held).read_bytes())

    def edit(index: dict[str, Any]) -> None:
        weight_map = index["weight_map"]
        weight_map |= {tensor: name for tensor, file in weight_map.items() if file == held}

    change_index(folder, edit)


def only_pickled(folder: Path, write: Callable[[Path, dict[str, Tensor]], Any]) -> None:
    state = {name: tensor for file in shards(folder) for name, tensor in load_file(file).items()}
    for file in shards(folder):
        file.unlink()
    (folder / INDEX).unlink()
    write(folder / "pytorch_model.bin", state)


def marker(folder: Path) -> Path:
    return folder.parent / "code was run"


def pickle_payload(file: Path, state: dict[str, Tensor]) -> None:
    file.write_bytes(pickle.dumps({"lm_head.weight": Payload(marker(file.parent))}))


def change_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def write_header(folder: Path, header: dict[str, Any] | None = None, length: int | None = None) -> None:
    text = json.dumps(header or {}).encode()
    shards(folder)[0].write_bytes(struct.pack("<Q", len(text) if length is None else length) + text)


def poison(value: float) -> Callable[[dict[str, Tensor]], None]:
    def edit(state: dict[str, Tensor]) -> None:
        if FFN in state:
            state[FFN].view(-1)[-1] = value

    return edit


def _pop(state: dict[str, Tensor], name: str) -> Tensor | None:
    return state.pop(name, None)


def _rename(state: dict[str, Tensor]) -> None:
    if NORM in state:
        state["model.language_model.nrom.weight"] = state.pop(NORM)


def _reshape(state: dict[str, Tensor]) -> None:
    if NORM in state:
        state[NORM] = torch.ones(7)


def _cut(folder: Path) -> None:
    file = shards(folder)[-1]
    file.write_bytes(file.read_bytes()[:-10])


def _twice(folder: Path) -> None:
    for file in shards(folder):
        save_file({**load_file(file), NORM: torch.ones(3)}, file, metadata={"format": "pt"})


def _link(folder: Path) -> None:
    """An index whose file is a link that leads nowhere."""
    file = shards(folder)[0]
    file.unlink()
    file.symlink_to("nowhere.safetensors")


def _overlap(folder: Path) -> None:
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    write_header(folder, {"a": one, "b": {**one, "data_offsets": [2, 6]}})


Damage = Callable[[Path], Any]
# What the refusal tells of a tensor that is not as it should be …
TENSORS: dict[str, tuple[Damage, str]] = {
    "missing": (lambda f: change(f, lambda s: _pop(s, NORM)), rf"lacks .*{NORM}"),
    "renamed": (lambda f: change(f, _rename), rf"lacks .*{NORM}"),
    "reshaped": (lambda f: change(f, _reshape), rf"{NORM} has shape \(7,\)"),
    "NaN": (lambda f: change(f, poison(float("nan"))), rf"NaN or infinity .*{FFN}|{FFN}.*NaN or infinity"),
    "infinity": (lambda f: change(f, poison(float("-inf"))), rf"NaN or infinity .*{FFN}"),
}
LEFT_OVER: tuple[Damage, str] = (
    lambda f: change(f, lambda s: s.update(stray=torch.ones(2))),
    r"holds 1 tensors .*stray",
)
# … and of files.
FILES: dict[str, tuple[Damage, str]] = {
    "a tensor twice": (_twice, rf"holds {NORM} twice"),
    "cut off": (_cut, r"model-0.*safetensors is broken .*fetch it again"),
    "a header of 8 EiB": (lambda f: write_header(f, length=2**63), "is broken"),
    "a header longer than its file": (lambda f: write_header(f, length=10**6), "is broken"),
    "overlapping tensors": (_overlap, "is broken"),
    "an empty file": (lambda f: shards(f)[0].write_bytes(b""), "is broken"),
    "a shard missing": (lambda f: shards(f)[0].unlink(), "is named in .* but missing"),
    "a link to nothing": (_link, "is named in .* but missing"),
    "index above": (lambda f: point_index_at(f, "../outside.safetensors"), r"'\.\./outside.safetensors'"),
    "absolute index": (
        lambda f: point_index_at(f, str(f.parent / "outside.safetensors")),
        "outside.safetensors' is no safetensors file beside it",
    ),
    "index with backslash": (lambda f: point_index_at(f, "..\\outside.safetensors"), "is no safetensors file"),
    "index with NUL": (lambda f: point_index_at(f, "a\0.safetensors"), "is no safetensors file"),
    "index to a pickle": (lambda f: point_index_at(f, "pytorch_model.bin"), "'pytorch_model.bin' is no safe"),
    "index to a number": (lambda f: point_index_at(f, 7), "7 is no safetensors file"),
    "index to a long name": (lambda f: point_index_at(f, "a" * 300 + ".safetensors"), "is no safetensors"),
    "index of nonsense": (lambda f: (f / INDEX).write_text("{"), "is not a checkpoint index"),
    "index of brackets": (lambda f: (f / INDEX).write_text("[" * 10**5), "is not a checkpoint index"),
    "an empty index": (lambda f: change_index(f, lambda i: i.update(weight_map={})), "is not a checkpoint index"),
    "a payload alone": (lambda f: only_pickled(f, pickle_payload), r"only pickled .*pytorch_model.bin.*save_pre"),
    "pickled weights": (
        lambda f: only_pickled(f, lambda file, state: torch.save(state, file)),
        r"only pickled .*can run code .*save_pretrained\(\) it as safetensors",
    ),
    "an adapter": (lambda f: (f / "adapter_config.json").write_text("{}"), "holds an adapter .*merge it"),
    "a process's part": (
        lambda f: (f / "shard-00000-model-00001-of-00001.safetensors").write_bytes(b""),
        "one process's part",
    ),
    "config above": (
        lambda f: change_config(f, transformers_weights="../outside.safetensors"),
        "names weights that are no safetensors beside it",
    ),
    "config to a pickle": (
        lambda f: change_config(f, transformers_weights="adapter_model.bin"),
        "names weights that are no safetensors beside it",
    ),
}  # fmt: skip
