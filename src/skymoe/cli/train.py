"""`skymoe train`: run a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe, such as recipes/nano.yaml.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the recipe: --set stages.0.steps=100")
    ] = None,
) -> None:
    """Train a model by a recipe; run it again to continue where it stopped.

    On several GPUs: torchrun --nproc-per-node 8 -m skymoe train RECIPE
    """
    import logging
    import os

    from skymoe.train.recipe import load_recipe

    loaded = load_recipe(recipe, overrides)
    first = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    level = logging.INFO if first else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from skymoe.train.stages import Training

    model = Training(loaded).run()
    if first:
        typer.echo(f"model: {model}")
