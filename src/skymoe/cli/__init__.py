"""The command `skymoe`: one file a command, each thin. Nothing here imports PyTorch before a command needs it."""

from __future__ import annotations

import os
import sys

import typer

import skymoe
from skymoe.cli.answering import printable
from skymoe.cli.ask import ask
from skymoe.cli.audit import audit
from skymoe.cli.augment import augment
from skymoe.cli.caption import caption
from skymoe.cli.classify import classify
from skymoe.cli.compare import compare
from skymoe.cli.count import count
from skymoe.cli.data_findings import data
from skymoe.cli.demo import demo
from skymoe.cli.evaluate import evaluate
from skymoe.cli.ground import ground
from skymoe.cli.plan import plan
from skymoe.cli.report import report
from skymoe.cli.routing import routing
from skymoe.cli.score import score
from skymoe.cli.serve import serve
from skymoe.cli.train import train
from skymoe.cli.upcycle import upcycle
from skymoe.errors import UserError

app = typer.Typer(
    name="skymoe",
    help="Questions about satellite and aerial pictures, answered by a mixture-of-experts vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ASKING, MAKING = "Ask about pictures", "Make and judge models"
for command in (demo, ask, caption, classify, count, ground, serve):
    app.command(rich_help_panel=ASKING)(command)
app.add_typer(data, name="data", rich_help_panel=MAKING)
app.add_typer(augment, name="augment", rich_help_panel=MAKING)
app.command("train", rich_help_panel=MAKING)(train)
app.command("eval", rich_help_panel=MAKING)(evaluate)
app.command("routing", rich_help_panel=MAKING)(routing)
app.command("audit", rich_help_panel=MAKING)(audit)
app.command("score", rich_help_panel=MAKING)(score)
app.command("compare", rich_help_panel=MAKING)(compare)
app.command("report", rich_help_panel=MAKING)(report)
app.command("upcycle", rich_help_panel=MAKING)(upcycle)
app.command("plan", rich_help_panel=MAKING)(plan)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"skymoe {skymoe.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    _stand_in_for_what_is_closed()
    try:
        app()
    except UserError as error:
        typer.echo(f"skymoe: {printable(str(error))}", err=True)
        sys.exit(2)


def _stand_in_for_what_is_closed() -> None:
    """A standard stream that is closed (`>&-`) is as /dev/null: the first file opened would get its number, and what
    a library or a child prints would stand in that file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 – for as long as we run
