"""The argument MODEL → something that answers: an address, one of ours, or any Transformers checkpoint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skymoe.errors import UserError
from skymoe.evaluation.engines.asking import Asking
from skymoe.evaluation.predictions import Engine

ENGINES = ("auto", "skymoe", "transformers", "endpoint")
OURS = ("skymoe", "rsmoe", "llava")
"""Kinds of checkpoints that our own engine reads, with typed answers."""


@dataclass(frozen=True)
class Opened:
    """A model ready to be judged. ``weights`` names it by its content, as far as that is known.

    ``typed``: it decodes under the form of the task's answers; the others say what they like. ``trained_on`` are the
    data sets that its card names, None where there is no card that says so.
    """

    engine: Engine
    name: str
    weights: str
    kind: str
    trained_on: tuple[str, ...] | None = None

    @property
    def typed(self) -> bool:
        return self.kind == "skymoe"

    @property
    def identity(self) -> dict[str, str]:
        """What names it in reports and beside predictions."""
        return {"name": self.name, "weights": self.weights}


def open_engine(
    model: str,
    *,
    engine: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 32,
    asking: Asking | None = None,
    concurrency: int = 8,
    key: str | None = None,
) -> Opened:
    """Open what ``model`` names.

    Args:
        model: nano, the directory of a checkpoint, a Hugging Face id, or ``http(s)://HOST/v1#NAME``.
        engine: "auto", or which of ENGINES; "transformers" asks a LLaVA checkpoint, which ours reads, as a stranger.
        asking: how foreign models are asked and read; ours are always asked the same.
        concurrency: questions that an endpoint is asked at once.
        key: the environment variable with the endpoint's key (default: SKYMOE_API_KEY).

    Raises:
        UserError: in one line, where there is no such model or it cannot be loaded.
    """
    if engine not in ENGINES:
        raise UserError(f"unknown engine {engine!r}: choose one of {', '.join(ENGINES)}")
    address = model.startswith(("http://", "https://"))
    if address != (engine == "endpoint") and (engine == "endpoint" or (address and engine != "auto")):
        raise UserError(
            f"model {model!r} and engine {engine!r} do not fit: an endpoint is http(s)://HOST/v1#NAME"
        )
    if address:
        return _endpoint(model, asking, concurrency, key)
    from skymoe.engine.checkpoint import find
    from skymoe.identity import fingerprint

    directory = find(model)
    name, weights, card = Path(model).name or "model", fingerprint(directory), trained_on(directory)
    kind = engine if engine != "auto" else "skymoe" if model_type(directory) in OURS else "transformers"
    if kind == "skymoe":
        import skymoe

        ours = skymoe.load(model, device=device, dtype=dtype)
        ours.batch_size = batch_size
        return Opened(ours, name, weights, kind, card)
    from skymoe.engine.checkpoint import _DTYPES, _device
    from skymoe.evaluation.engines.transformers import load

    if dtype != "auto" and dtype not in _DTYPES:
        raise UserError(f"unknown dtype {dtype!r}: choose auto, {', '.join(_DTYPES)}")
    foreign = load(
        directory, device=_device(device), dtype=_DTYPES.get(dtype), batch_size=batch_size, asking=asking
    )
    return Opened(foreign, name, weights, kind, card)


def _endpoint(model: str, asking: Asking | None, concurrency: int, key: str | None) -> Opened:
    from skymoe.evaluation.engines.endpoint import Address, EndpointEngine, find_key

    address = Address.parse(model)
    engine = EndpointEngine(address, key=find_key(address, key), asking=asking, concurrency=concurrency)
    # Nobody outside can tell which weights are served: the place and the name stand for them.
    place = hashlib.sha256(f"{address.base}#{engine.name}".encode()).hexdigest()[:12]
    return Opened(engine, engine.name.rpartition("/")[2], place, "endpoint")


def model_type(directory: Path) -> str:
    """The kind of a checkpoint, from its config.json."""
    try:
        kind = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError, OSError) as error:
        raise UserError(f"model {str(directory)!r}: config.json cannot be read ({error})") from None
    return str(kind)


def trained_on(directory: Path) -> tuple[str, ...] | None:
    """The ``datasets`` of the model card's head, as the Hub has them."""
    try:
        from huggingface_hub import metadata_load

        card: Any = metadata_load(directory / "README.md")
        named = (card or {}).get("datasets")
    except Exception:  # no card, or one with a head that is no YAML: nothing is known
        return None
    if isinstance(named, str):
        return (named,)
    return tuple(map(str, named)) if isinstance(named, list) else None
