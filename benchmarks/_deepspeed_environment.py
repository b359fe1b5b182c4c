"""An environment of its own for DeepSpeed, which SkyMoE does not depend on.

It sees the packages of the environment that runs the benchmark, so that both sides use the very same PyTorch and
nothing large is fetched a second time; only DeepSpeed and what it alone needs is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / ".cache" / "bench-deepspeed"
REQUIREMENT = "deepspeed==0.19.8"


def inside() -> bool:
    """Whether this process already runs in the environment."""
    return Path(sys.prefix).resolve() == HOME


def ensure() -> Path:
    """Python of the environment, built if need be.

    Raises:
        RuntimeError: if it cannot be built or DeepSpeed cannot be imported there; the message says why.
    """
    python = HOME / "bin" / "python"
    if not (HOME / "complete").is_file():
        print(f"building {HOME} with {REQUIREMENT} (once; a minute or more)", file=sys.stderr)
        venv.create(HOME, clear=True, with_pip=True)
        own = sysconfig.get_path("purelib", vars={"base": str(HOME), "platbase": str(HOME)})
        # addsitedir, not a bare path: it also follows the .pth file of an editable installation of skymoe.
        parent = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (Path(own) / "parent.pth").write_text(parent, encoding="utf-8")
        # DeepSpeed's set-up imports torch, which only the environment has; its compiled operators are not needed.
        _run(python, "-m", "pip", "install", "setuptools>=77", "wheel")
        _run(python, "-m", "pip", "install", "--no-build-isolation", REQUIREMENT)
        _run(python, "-c", "import torch, transformers, deepspeed.moe.layer")
        (HOME / "complete").touch()
    return python


def _run(*command: str | Path) -> None:
    environment = {**os.environ, "DS_BUILD_OPS": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise RuntimeError(f"{' '.join(str(part) for part in command[1:])}: {' | '.join(errors[-3:])}")
