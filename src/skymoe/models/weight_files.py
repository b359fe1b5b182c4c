"""The files that hold a checkpoint's weights: named before anything reads them, and never anything but safetensors.

A checkpoint comes from strangers. What its index and its config.json name has to lie beside them under a plain name; a
symbolic link *in* the folder is its owner's own (the hub's cache is made of such links) and is followed. Weights that
are pickled are never opened, because opening them can run code.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from skymoe.errors import UserError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
"""What is fetched of a repository on the hub: neither pickles nor code."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.bin.index.json")
# A model of a thousand layers has an index of a few megabytes.
LARGEST_INDEX = 64 * 2**20
_DISTRIBUTED = re.compile(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights of a checkpoint; none is opened.

    Raises:
        UserError: there are none but pickles, or an adapter; or the index names what is missing or not beside it.
    """
    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder} holds an adapter (adapter_config.json): merge it into its model first, or take the file away"
        )
    if any(_DISTRIBUTED.fullmatch(path.name) for path in folder.glob("shard-*.safetensors")):
        raise UserError(
            f"{folder} holds one process's part of each weight: save_pretrained() the model whole"
        )
    named = _named_by_config(folder)
    if named is None and (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if named is not None and not named.endswith(".index.json"):
        if not (folder / named).is_file():
            raise UserError(f"{folder / named} is named in config.json but missing: fetch it again")
        return [folder / named]
    index = folder / (named or INDEX)
    if index.is_file():
        return _of_index(index)
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise UserError(
            f"{folder} holds only pickled weights ({shown(pickles[0])}), which can run code when opened: load it with "
            "Transformers where you trust it and save_pretrained() it as safetensors"
        )
    raise UserError(
        f"{folder} holds neither {WEIGHTS} nor {INDEX}: give a whole Transformers checkpoint in safetensors"
    )


def weight_bytes(folder: Path) -> int:
    """What a checkpoint's weights take on the disk; raises as `weight_files`."""
    return sum(file.stat().st_size for file in weight_files(folder))


def open_weights(file: Path) -> Any:
    """`safetensors.safe_open` of a file, for `with`; its header and its length are checked.

    Raises:
        UserError: it is cut off, its header is none, or nobody may read it.
    """
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        try:  # safetensors takes a file that it may not read for one that is not there
            file.open("rb").close()
        except OSError as closed:
            raise UserError(
                f"{file} can't be read ({closed.strerror}): allow it, or fetch it again"
            ) from error
        raise UserError(f"{file} is broken ({one_line(error)}): fetch it again") from error


def tensors(folder: Path) -> Iterator[tuple[str, Path, tuple[int, ...], str]]:
    """Name, file, shape and safetensors' code of the type of each tensor of a checkpoint; only headers are read.

    Raises:
        UserError: as `weight_files` and `open_weights`, or a name that is there twice.
    """
    where: dict[str, Path] = {}
    for file in weight_files(folder):
        with open_weights(file) as opened:
            for name in opened.keys():  # noqa: SIM118 (no dict)
                if name in where:
                    raise UserError(
                        f"{folder} holds {shown(name)} twice, in {where[name].name} and in {file.name}: fetch it again"
                    )
                where[name] = file
                part = opened.get_slice(name)
                yield name, file, tuple(part.get_shape()), part.get_dtype()


def fetch(name: str) -> Path:
    """The folder of a hub id in the hub's cache, downloaded where needed; raises what the hub raises."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=HUB_FILES))


def is_folder(name: str | Path) -> bool:
    """Whether there is a folder of this name.

    Raises:
        UserError: the system takes no such name, or lets nobody look there.
    """
    try:
        return stat.S_ISDIR(os.stat(name).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UserError(
            f"model {shown(name)} cannot be looked up ({reason}): give the directory of a checkpoint or a hub id "
            "(owner/name)"
        ) from error


def shown(name: object) -> str:
    """A stranger's name for a message of one line."""
    text = str(name)
    text = text if len(text) <= 120 else f"{text[:120]}…"
    return text if text.isprintable() else ascii(text)


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first names in order, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(map(shown, ordered[:most])) + more


def one_line(error: BaseException) -> str:
    """What a library said, shortened to one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def _of_index(index: Path) -> list[Path]:
    try:
        if index.stat().st_size > LARGEST_INDEX:
            raise ValueError(f"{index.stat().st_size} bytes are no list of files")
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if not named:
            raise ValueError("weight_map names no files beside it")
        for name in named:
            if not _plain(name):
                raise ValueError(f"{shown(repr(name))} is no safetensors file beside it")
    except (ValueError, KeyError, AttributeError, TypeError, OSError, RecursionError) as error:
        raise UserError(f"{index} is not a checkpoint index ({one_line(error)}): fetch it again") from error
    files = [index.parent / name for name in sorted(named)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{file} is named in {index.name} but missing: fetch it again")
    return files


def _named_by_config(folder: Path) -> str | None:
    """Other weights that a config.json may name; what else is wrong with it is said by who reads it."""
    try:
        name = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("transformers_weights")
    except (ValueError, AttributeError, OSError, RecursionError):
        return None
    if name is None or _plain(name) or (isinstance(name, str) and _plain(name.removesuffix(".index.json"))):
        return name
    raise UserError(
        f"{folder / 'config.json'} names weights that are no safetensors beside it ({shown(repr(name))}): take "
        "transformers_weights out of it, or fetch it again"
    )


def _plain(name: object) -> bool:
    """Whether it is the name of a safetensors file and no path."""
    return (
        isinstance(name, str)
        and name.endswith(".safetensors")
        and len(name.encode("utf-8", "surrogatepass")) <= 255
        and not set(name) & {"/", "\\", "\0"}
    )
