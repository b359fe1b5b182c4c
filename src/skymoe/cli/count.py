"""`skymoe count`: how many objects of one kind."""

from __future__ import annotations

from typing import Annotated

import typer

from skymoe.cli.answering import Asking, subject
from skymoe.cli.options import Device, Free, Images, Json, Model
from skymoe.tasks import Query


def count(
    images: Images,
    what: Annotated[str, typer.Argument(metavar="OBJECT", help='What to count, such as "storage tank".')],
    model: Model = "nano",
    device: Device = "auto",
    as_json: Json = False,
    free: Free = False,
) -> None:
    """Count the objects of one kind in each picture."""
    query = Query("count", subject(images, what, "kind of object", "storage tank"))
    Asking("count", images, query, None, model, device, as_json, free).run()
