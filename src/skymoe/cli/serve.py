"""`skymoe serve`: a model behind the OpenAI-compatible chat API."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from skymoe.cli.options import Device, load_quietly
from skymoe.errors import UserError


def serve(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="nano, rs-moe-nano, the directory of a checkpoint, or a Hugging Face id."
        ),
    ] = "nano",
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for other machines, too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    name: Annotated[
        str | None, typer.Option(help="What clients call the model. Default: MODEL as it is given here.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="The environment variable with the key that clients must send. Default: none is asked."
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Answer the OpenAI chat API: POST /v1/chat/completions, with a picture and a question.

    Pictures come as data URIs; nothing is fetched, kept or logged. Stop with Ctrl+C.
    """
    from skymoe.serve.server import Server
    from skymoe.serve.until_stopped import serve_until_stopped

    if key is not None and not os.environ.get(key):
        raise UserError(f"--key {key}: that environment variable is not set; put the key there")
    server = Server(None, name or model, host, port, os.environ[key] if key else None)
    with server:
        # After the port is ours: a model is not loaded in vain. Who asks before it is there waits at the door.
        server.model = load_quietly(model, device)
        serve_until_stopped(server)
