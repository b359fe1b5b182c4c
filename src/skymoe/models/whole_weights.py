"""Models are read whole or not at all: no tensor missing, left over, of another shape, or with NaN in it.

Transformers fills what a checkpoint lacks with random numbers and only warns. Everything in this package that reads
weights reads them here, so that a damaged checkpoint is refused by name wherever it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoProcessor, PreTrainedConfig

from skymoe.errors import UserError

from .promised import check_depth_in, check_promise, held
from .weight_files import fetch, is_folder, listed, one_line, shown

log = logging.getLogger(__name__)
_FILES_ALONE: dict[str, Any] = {"trust_remote_code": False}
"""Code that a checkpoint brings is never run. Unless told so, the library asks at the terminal."""
_OWN_JUDGEMENT = (
    "output_loading_info", "state_dict", "ignore_mismatched_sizes", "gguf_file", "variant", "subfolder",
)  # fmt: skip


def read_config(model: str | Path) -> Any:
    """The configuration of a folder or hub id; raises what Transformers raises for files that are missing or no JSON.

    Raises:
        UserError: what is read is no configuration: nested without end, of other types, of more layers than any has.
    """
    if is_folder(model):
        check_depth_in(Path(model))
    with _in_one_line(f"{model}: config.json"):
        return AutoConfig.from_pretrained(model, **_FILES_ALONE)


def read_processor(model: str | Path, kind: Any = AutoProcessor, **settings: Any) -> Any:
    """The processor (or tokenizer, by `kind`) of a folder or hub id; raises as `read_config`."""
    with _in_one_line(f"{model}: its tokenizer or picture settings"):
        return kind.from_pretrained(model, **_FILES_ALONE, **settings)


def read_model(kind: Any, model: str | Path, *, fresh: Sequence[str] = (), **settings: Any) -> Any:
    """The model of class `kind` in a folder or under a hub id, in evaluation mode.

    Args:
        kind: a model's class or an Auto class.
        fresh: parts of the names of weights that are new in this model: they may be missing, and start at random.
        settings: of Transformers' `from_pretrained`, such as dtype, config, distributed_config.

    Raises:
        UserError: in one line, for weights that are not whole, not finite, pickled, or not where they should be.
    """
    folder = _folder(model)
    return _whole(kind, kind.from_pretrained, folder, fresh, complete=True, **_FILES_ALONE, **settings)


class ReadWhole:
    """Before `PreTrainedModel` among a class's bases: what `from_pretrained` only warns of becomes a `UserError`.

    Tensors that are left over stay a warning, since a model may be read out of a larger one. Whoever asks for
    `output_loading_info`, gives a `state_dict` or ignores sizes judges for himself.
    """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *inputs: Any, **settings: Any) -> Any:
        """Transformers', never from pickles unless `use_safetensors=False` is said, and whole."""
        above: Any = super()
        settings.setdefault("use_safetensors", True)
        if inputs or not settings["use_safetensors"] or any(settings.get(key) for key in _OWN_JUDGEMENT):
            return above.from_pretrained(pretrained_model_name_or_path, *inputs, **settings)
        return _whole(
            cls, above.from_pretrained, pretrained_model_name_or_path, (), complete=False, **settings
        )


def check_finite(named: Iterable[tuple[str, Tensor]], source: str | Path) -> None:
    """Refuse weights with NaN or infinity in them. Cheap: smallest and largest of each, without a copy.

    Raises:
        UserError: names the first of them.
    """
    suspects = [(name, tensor) for name, tensor in named if tensor.is_floating_point() and tensor.numel()]
    bad = {name: tensor for name, tensor in suspects if not _finite(tensor)}
    if bad:
        kind = str(next(iter(bad.values())).dtype).removeprefix("torch.")
        raise UserError(
            f"{source}: {len(bad)} of its tensors hold NaN or infinity as {kind} ({listed(bad)}): fetch the "
            "checkpoint again, or train it again with a lower learning rate"
        )


def _finite(tensor: Tensor) -> bool:
    tensor = tensor.detach()
    if hasattr(tensor, "to_local"):  # of a sharded weight each process has its own part, which may be nothing
        tensor = tensor.to_local()
    if not tensor.numel():
        return True
    if tensor.dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return bool(torch.isfinite(torch.stack(torch.aminmax(tensor))).all())  # both are NaN where any is


def _folder(model: str | Path) -> Path:
    if is_folder(model):
        return Path(model)
    try:
        return fetch(str(model))
    except Exception as error:  # the hub's errors have no common base
        raise UserError(
            f"{model} is no folder and cannot be fetched from the hub ({one_line(error)})"
        ) from None


def _whole(
    kind: Any, read: Callable[..., Any], model: Any, fresh: Sequence[str], *, complete: bool, **settings: Any
) -> Any:
    """`complete`: nothing may be left over."""
    tied: frozenset[str] = frozenset()
    if Path(model).is_dir():  # before the library opens any file, and takes memory
        tied = _promised(kind, Path(model), settings.get("config"), bool(fresh))
    settings |= {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        with _unreported():
            made, told = read(model, **settings)
    except (UserError, ImportError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # damaged or missing files make the library raise nearly anything
        if not complete:
            raise
        raise UserError(
            f"model {str(model)!r} cannot be loaded, is a file missing or damaged? {one_line(error)}"
        ) from error
    wrong = []
    if missing := [name for name in told["missing_keys"] if not any(part in name for part in fresh)]:
        wrong.append(f"it lacks {len(missing)} tensors ({listed(missing)})")
    if mismatched := sorted(told["mismatched_keys"]):
        name, found, wanted = mismatched[0]
        shapes = f"{shown(name)} has shape {tuple(found)}, its config.json tells of {tuple(wanted)}"
        wrong.append(f"{len(mismatched)} tensors do not fit ({shapes})")
    if extra := told["unexpected_keys"]:
        odd = f"it holds {len(extra)} tensors that its config.json does not tell of ({listed(extra)})"
        if wrong or complete:
            wrong.append(odd)
        else:
            log.warning("%s: %s", model, odd)
    if apart := tied - set(getattr(made, "all_tied_weights_keys", tied)):
        wrong.append(
            f"its config.json says tie_word_embeddings=true, but it holds {listed(apart)} with numbers of its own"
        )
    wrong += [shown(" ".join(text.split())) for text in told["error_msgs"]]
    if wrong:
        raise UserError(f"model {str(model)!r} is not whole: {'; '.join(wrong)}: fetch or save it again")
    check_finite(_stored(made), f"model {str(model)!r}")
    return made


def _promised(kind: Any, folder: Path, config: Any, fresh: bool) -> frozenset[str]:
    have = held(folder)
    if not isinstance(config, PreTrainedConfig):
        try:
            config = read_config(config or folder)
        except (UserError, ImportError, MemoryError):
            raise
        except Exception:  # the library reads it again and says why, as its callers expect it
            return frozenset()
    return check_promise(kind, folder, config, have, fresh=fresh)


def _stored(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters, tied ones once, and the buffers that are saved with them."""
    yield from model.named_parameters()
    saved = model.state_dict().keys()
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in saved)


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    """What nobody expects of a file that is no JSON: brackets without end, an object where a word should be."""
    try:
        yield
    except (ValueError, KeyError, OSError, TypeError, ImportError, MemoryError):
        raise
    except Exception as error:
        raise UserError(f"{what} cannot be read ({one_line(error)}): fetch it again") from error


@contextmanager
def _unreported() -> Iterator[None]:
    """Without the library's table of what is missing: the error says it in a line."""
    logger = logging.getLogger("transformers.modeling_utils")

    def errors(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(errors)  # not its level: that one also decides what the library checks
    try:
        yield
    finally:
        logger.removeFilter(errors)
