"""`skymoe upcycle`: a dense model's FFNs become experts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from skymoe.errors import UserError


def upcycle(
    base: Annotated[str, typer.Argument(help="Dense LLaVA or SkyMoE checkpoint: a directory or a hub id.")],
    out: Annotated[Path, typer.Argument(help="Directory to write the SkyMoE checkpoint to.")],
    experts: Annotated[int, typer.Option(help="Experts in each expert layer; 0 keeps the model dense.")] = 8,
    top_k: Annotated[int, typer.Option(help="Experts that each token passes through.")] = 2,
    every: Annotated[int, typer.Option(help="Every how many layers one has experts.")] = 2,
    offset: Annotated[int, typer.Option(help="The first layer with experts.")] = 0,
    layers: Annotated[
        str | None, typer.Option(help="Layers with experts, such as 0,2,5, in place of --every and --offset.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side of the pictures in pixels (the paper: 504); default: as the base."),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16; default: as the base.")
    ] = None,
    router: Annotated[
        str, typer.Option(help="token, or instruction: routing also depends on the question.")
    ] = "token",
    seed: Annotated[int, typer.Option(help="Seed of the routers' random start.")] = 0,
    max_shard_size: Annotated[str, typer.Option(help="Size of one file; bounds the memory needed.")] = "2GB",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a SkyMoE checkpoint from a dense one: experts are clones of its FFNs, so it answers as before."""
    if router not in ("token", "instruction"):
        raise UserError(f"--router {router!r} must be token or instruction")
    try:
        chosen = None if layers is None else [int(layer) for layer in layers.split(",")]
    except ValueError as error:
        raise UserError(f"--layers {layers!r} must be numbers with commas between, such as 0,2,5") from error

    from skymoe.models.skymoe.upcycling import upcycle as run

    result = run(
        base,
        out,
        num_experts=experts,
        top_k=top_k,
        interval=every,
        offset=offset,
        layers=chosen,
        image_size=image_size,
        dtype=dtype,
        router_conditioning=None if router == "token" else router,
        seed=seed,
        max_shard_size=max_shard_size,
    )
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
        return
    typer.echo(f"{result.path}: {result.shards} file(s), {result.bytes / 1e9:.2f} GB")
    typer.echo(f"  total parameters        {_count(result.total)}")
    typer.echo(f"  activated for a token   {_count(result.activated)}")
    typer.echo(f"  experts and routers     {_count(result.experts)} in layers {result.expert_layers}")
    typer.echo(f"  pictures                {result.image_size} pixels, {result.image_tokens} tokens")
    if not result.processor:
        typer.echo(
            "  the base has no processor files: add a tokenizer and an image processor before use", err=True
        )


def _count(parameters: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M")):
        if parameters >= size:
            return f"{parameters / size:.3f} {unit}"
    return f"{parameters:,}"
