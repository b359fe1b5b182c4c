"""Runs the recipe of a YAML file and is killed (SIGKILL) while FILE of checkpoint STEP is being written."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from skymoe.train.recipe import load_recipe
from skymoe.train.stages import Training


def main(recipe: str, step: str, file: str) -> None:
    save = torch.save

    def killed(content: Any, place: Any, *args: Any, **options: Any) -> None:
        path = Path(str(place))
        if path.name == file and path.parent.name == f"checkpoint-{step}":
            save(content, place, *args, **options)
            os.truncate(path, path.stat().st_size // 2)  # what had reached the disk by then
            os.kill(os.getpid(), signal.SIGKILL)
        save(content, place, *args, **options)

    torch.save = killed
    Training(load_recipe(recipe)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
