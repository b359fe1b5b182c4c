"""`skymoe plan`: what a training will need, before anyone pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skymoe.cli.terminal import output

if TYPE_CHECKING:
    from skymoe.train.planning.fitting import Machine
    from skymoe.train.planning.plan import Plan
    from skymoe.train.planning.stage import StageSettings

# Of a GPU's stated peak, what training of this kind reaches; docs/planning.md says what to do about that.
UTILISATION = 0.4


def plan(
    target: Annotated[
        str,
        typer.Argument(
            help="skymoe-7b (also -13b, -1b; with -stage1, -stage2, -lora-experts), rs-moe-1b (also -3b, -7b; with "
            "-stage1, -stage2), nano, rs-moe-nano, a recipe (.yaml), or the folder or config.json of a model."
        ),
    ] = "skymoe-7b",
    gpus: Annotated[int, typer.Option(min=1, help="How many GPUs.")] = 1,
    memory: Annotated[
        str | None, typer.Option(help="Memory of each, such as 80G. Default: that of --gpu, else 80G.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Which, such as a100-80g, h100-80g, h200, rtx4090: memory, speed, links."),
    ] = None,
    flops: Annotated[
        str | None, typer.Option(help="FLOP/s that one GPU really does in training, such as 400T.")
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure the FLOP/s on this machine with two layers of the model."),
    ] = False,
    bandwidth: Annotated[
        str | None, typer.Option(help="Bytes/s that one GPU sends to the others, such as 200G.")
    ] = None,
    reserve: Annotated[
        str | None, typer.Option(help="Memory kept free on each GPU. Default: 1 GiB and 4 %.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="ddp, zero2, fsdp, ep or offload; may be repeated. Default: all."),
    ] = None,
    checkpointing: Annotated[
        str, typer.Option(help="Gradient checkpointing: auto (both are shown), on or off.")
    ] = "auto",
    micro_batch: Annotated[
        int | None, typer.Option(min=1, help="Samples at a time on one GPU. Default: the quickest that fits.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples of a step, on all GPUs.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples of an epoch.")] = None,
    epochs: Annotated[float | None, typer.Option(min=0.0, help="How often each is seen.")] = None,
    text_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a sample beside its picture's.")
    ] = None,
    answer_tokens: Annotated[int | None, typer.Option(min=1, help="Those of them that are learnt.")] = None,
    experts: Annotated[
        int | None, typer.Option(min=0, help="Experts in each expert layer; 0: dense.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Experts that a token passes through.")] = None,
    train: Annotated[
        list[str] | None,
        typer.Option("--train", help="Weights whose names contain this learn; may be repeated; 'all'."),
    ] = None,
    lora: Annotated[
        int | None, typer.Option(min=0, help="Rank of adapters that learn instead; 0: none.")
    ] = None,
    lora_targets: Annotated[str, typer.Option(help="Modules that get them.")] = "q_proj,v_proj",
    precision: Annotated[
        str | None, typer.Option(help="bf16, bf16-autocast (frozen weights float32 too), pure-bf16 or fp32.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value of the recipe: --set stages.0.steps=100")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Say what a training needs: parameters, memory by part, arithmetic, time, what fits and what would help.

    Exit code 1 when a stage fits on no way but offloading.
    """
    from skymoe.errors import UserError
    from skymoe.train.planning.memory import STRATEGIES
    from skymoe.train.planning.plan import make_plan
    from skymoe.train.planning.reading import Changes, read_stages

    ways = tuple(dict.fromkeys(strategy or STRATEGIES))
    if unknown := [way for way in ways if way not in STRATEGIES]:
        raise UserError(f"--strategy {unknown[0]!r} must be one of {', '.join(STRATEGIES)}")
    if checkpointing not in ("auto", "on", "off"):
        raise UserError(f"--checkpointing {checkpointing!r} must be auto, on or off")
    changes = Changes(
        stage, experts, top_k, batch_size, steps, samples, epochs, text_tokens, answer_tokens,
        tuple(train) if train else None, lora, tuple(lora_targets.split(",")), precision,
    )  # fmt: skip
    stages = read_stages(target, overrides, changes)
    machine = _machine(stages[-1], gpus, memory, gpu, flops, measure, bandwidth, reserve)
    again = None if checkpointing == "auto" else checkpointing == "on"
    plans = [make_plan(one, machine, ways, again, micro_batch) for one in stages]
    if as_json:
        import json

        typer.echo(json.dumps({"target": target, "stages": [one.to_dict() for one in plans]}))
    else:
        _show(plans)
    if any(one.best is None or one.best.layout.strategy == "offload" for one in plans):
        raise typer.Exit(1)


def _machine(
    stage: StageSettings,
    gpus: int,
    memory: str | None,
    gpu: str | None,
    flops: str | None,
    measure: bool,
    bandwidth: str | None,
    reserve: str | None,
) -> Machine:
    """From the options; what nobody says is an assumption that the output names."""
    from skymoe.errors import UserError
    from skymoe.train.planning.fitting import Machine, default_reserve
    from skymoe.train.planning.known import GPUS
    from skymoe.train.planning.units import parse_rate, parse_size

    if gpu is not None and gpu not in GPUS:
        raise UserError(f"--gpu {gpu!r} must be one of {', '.join(GPUS)}; or give --memory and --flops")
    if measure and flops is not None:
        raise UserError("--measure and --flops both say how fast a GPU is: give one")
    kind = GPUS[gpu or "a100-80g"]
    size = parse_size(memory, "--memory") if memory else kind.memory
    if measure:
        from skymoe.train.planning.measuring import measured_rate

        rate, origin = measured_rate(stage)
    elif flops is not None:
        rate, origin = parse_rate(flops, "--flops"), "given"
    else:
        rate, origin = (
            UTILISATION * kind.peak,
            f"assumed: {UTILISATION:.0%} of the {gpu or 'a100'}'s stated peak",
        )
    kept = parse_size(reserve, "--reserve") if reserve is not None else default_reserve(size)
    if kept >= size:
        raise UserError(f"--reserve {reserve or kept}: nothing is left of --memory {memory or size}")
    sends = parse_rate(bandwidth, "--bandwidth") if bandwidth else kind.link
    return Machine(gpus, size, kept, rate, sends, origin)


def _show(plans: list[Plan]) -> None:
    from rich.table import Table

    from skymoe.train.planning import terminal

    console = output(highlight=False)
    for place, plan in enumerate(plans):
        if place:
            console.print()
        console.print(f"[bold]stage {plan.stage.name}[/bold]")
        grid = Table.grid(padding=(0, 2))
        for what, much in terminal.facts(plan):
            grid.add_row(f"  {what}", much)
        console.print(grid)
        console.print()
        console.print(terminal.table(plan, console.width))
        console.print()
        if (said := terminal.as_asked(plan)) is not None:
            console.print(said, markup=False)
        console.print(terminal.verdict(plan), style="bold", markup=False)
        for line in plan.remedies:
            console.print(f"  → {line}", markup=False)
        for line in plan.notes():
            console.print(f"  · {line}", markup=False)
    console.print()
    for line in terminal.legend(plans[0]):
        console.print(line, style="dim", markup=False)
