"""Arguments and options that several commands share, and the quiet start of a model."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skymoe.engine import SkyMoe

Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGE", help="Picture files: PNG, JPEG, WebP, BMP, GIF, TIFF or GeoTIFF."),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="nano, rs-moe-nano, the directory of a checkpoint, or a Hugging Face id."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda …")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for all pictures.")]
Free = Annotated[
    bool, typer.Option("--free", help="Let the model say what it likes, not only valid answers.")
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Also what each expert was told and found (RS-MoE).")
]
Beams = Annotated[
    int, typer.Option(min=1, help="Candidates kept while searching for the answer; 1 is greedy.")
]

# A model of nano's size gains nothing from more, and the rest of the machine loses.
MOST_THREADS = 8


def load_quietly(model: str, device: str) -> SkyMoe:
    """Load a model without the messages and progress bars of the libraries below.

    Raises:
        UserError: for a model or device that is not there.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Never by the load of the moment: another number of threads rounds differently, and answers must repeat.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(min(cores, MOST_THREADS)))
    warnings.filterwarnings("ignore", module=r"(torch|transformers|huggingface_hub)\b")
    from skymoe.engine import load

    return load(model, device=device)
