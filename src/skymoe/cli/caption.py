"""`skymoe caption`: one sentence about each picture."""

from __future__ import annotations

from skymoe.cli.answering import Asking
from skymoe.cli.options import Beams, Device, Explain, Free, Images, Json, Model
from skymoe.tasks import Query


def caption(
    images: Images,
    model: Model = "nano",
    device: Device = "auto",
    as_json: Json = False,
    free: Free = False,
    num_beams: Beams = 5,
    explain: Explain = False,
) -> None:
    """Describe each picture in one sentence."""
    Asking(
        "caption", images, Query("caption"), None, model, device, as_json, free, num_beams, explain=explain
    ).run()
