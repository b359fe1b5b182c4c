"""`skymoe classify`: which scene each picture shows."""

from __future__ import annotations

from typing import Annotated

import typer

from skymoe.cli.answering import Asking
from skymoe.cli.options import Device, Free, Images, Json, Model
from skymoe.engine.own_labels import classify_query


def classify(
    images: Images,
    labels: Annotated[
        str | None,
        typer.Option("--labels", "-l", help="Your own list, commas between; default: the trained scenes."),
    ] = None,
    model: Model = "nano",
    device: Device = "auto",
    as_json: Json = False,
    free: Free = False,
) -> None:
    """Name the scene of each picture, from the trained scenes or from your own list."""
    query = classify_query(None if labels is None else labels.split(","))
    Asking("classify", images, query, None, model, device, as_json, free).run()
