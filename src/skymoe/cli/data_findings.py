"""`skymoe data findings`: what the rules for RS-MoE's sub-tasks make of a data set."""

from __future__ import annotations

import json
from itertools import islice
from typing import Annotated

import typer

from skymoe.cli.answering import printable
from skymoe.cli.data import Root
from skymoe.cli.data_build import data


@data.command("findings")
def show_findings(
    source: Annotated[str, typer.Argument(help="A data set, such as rsicd or ucm-captions.")],
    split: Annotated[str, typer.Option("--split", help="Which split.")] = "train",
    limit: Annotated[int, typer.Option(min=1, help="Show that many samples.")] = 20,
    words: Annotated[
        bool, typer.Option("--words", help="Show instead the words the router may tell each expert.")
    ] = False,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Show theme, objects and relations that are derived from captions, labels and questions.

    They are what RS-MoE's experts learn to say. The rules: skymoe/data/findings.
    """
    from skymoe.data.findings import EXPERTS, derive, prompt_words
    from skymoe.data.sources import get_source

    samples = get_source(source, root).samples(split)
    if words:
        told = prompt_words(samples)
        if as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            for expert, some in told.items():
                typer.echo(printable(f"{expert}: {', '.join(some)}"))
        return
    for sample in islice(samples, limit):
        findings = derive(sample)
        if as_json:
            record = {"id": sample.id, "captions": sample.captions, **{e: findings.of(e) for e in EXPERTS}}
            typer.echo(json.dumps(record, ensure_ascii=False))
            continue
        typer.echo(printable(sample.id))
        for caption in dict.fromkeys(sample.captions):
            typer.echo(printable(f"  | {caption}"))
        for expert in EXPERTS:
            typer.echo(printable(f"  {expert}: {findings.text(expert) or '–'}"))


__all__ = ["data"]
