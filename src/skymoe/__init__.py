"""SkyMoE: a mixture-of-experts vision-language model for overhead pictures.

    import skymoe
    model = skymoe.load()                      # the small model inside the package
    model.count("port.tif", "ship").number

Importing the package is cheap: PyTorch is loaded only when something that needs it is first used. Import it before
PyTorch: how PyTorch's threads wait for each other can only be said until then (`skymoe/waiting.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skymoe.auto import register_with_transformers
from skymoe.waiting import wait_asleep

if TYPE_CHECKING:
    from skymoe.engine import load

__version__ = "0.2.0"
__all__ = ["load", "__version__"]

wait_asleep()
register_with_transformers()


def __getattr__(name: str) -> Any:
    """Import `load` on first use (PEP 562), so that `import skymoe` stays free of torch."""
    if name == "load":
        from skymoe.engine import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
