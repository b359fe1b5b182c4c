"""`skymoe ground`: where one object is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skymoe.cli.answering import Asking, subject
from skymoe.cli.drawing import Drawing
from skymoe.cli.options import Beams, Device, Free, Images, Json, Model
from skymoe.tasks import Query


def ground(
    images: Images,
    phrase: Annotated[
        str, typer.Argument(metavar="PHRASE", help='One object, such as "the largest storage tank".')
    ],
    draw: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Draw the box: a picture file, or for many pictures a folder."),
    ] = None,
    model: Model = "nano",
    device: Device = "auto",
    as_json: Json = False,
    free: Free = False,
    num_beams: Beams = 1,
) -> None:
    """Locate one object in each picture: x1 y1 x2 y2 in pixels, from the top left corner."""
    query = Query("ground", subject(images, phrase, "phrase", "the largest storage tank"))
    drawing = None if draw is None else Drawing(draw, many=len(images) > 1)
    Asking("ground", images, query, None, model, device, as_json, free, num_beams, drawing).run()
