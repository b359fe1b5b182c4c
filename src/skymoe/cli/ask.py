"""`skymoe ask`: a question in the user's own words."""

from __future__ import annotations

from typing import Annotated

import typer

from skymoe.cli.answering import Asking, subject
from skymoe.cli.options import Beams, Device, Explain, Images, Json, Model
from skymoe.tasks import read_request


def ask(
    images: Images,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help='In your own words, such as "any ships here?".')
    ],
    model: Model = "nano",
    device: Device = "auto",
    as_json: Json = False,
    num_beams: Beams = 1,
    explain: Explain = False,
) -> None:
    """Ask a question in your own words about each picture."""
    question = subject(images, question, "question", "how many ships are there?")
    task = read_request(question).task  # says so where there is no word in it
    Asking(
        task, images, own_words=question, model=model, device=device, as_json=as_json, num_beams=num_beams,
        explain=explain,
    ).run()  # fmt: skip
