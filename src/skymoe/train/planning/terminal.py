"""The plan for people: a few lines of facts, a table of what fits, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .memory import STRATEGIES
from .plan import Plan
from .units import GIB, show_count, show_flop, show_gib, show_time

if TYPE_CHECKING:
    from rich.table import Table

    from .fitting import Fit


WIDE = 124  # characters that the whole table takes
AT_REST = ("weights", "gradients", "optimizer")


def facts(plan: Plan) -> Iterator[tuple[str, str]]:
    """Lines (what, how much) above the table."""
    counted, model, stage = plan.parameters, plan.stage.architecture, plan.stage
    shape = "the tower alone" if stage.tower_only else model.described
    side = model.tower.image_size
    seen = "" if stage.tower_only else f", pictures of {side}² pixels in {model.image_tokens:,} tokens"
    yield "model", f"{model.name}: {shape}{seen}"
    if stage.about:
        yield "trains", stage.about
    yield (
        "parameters",
        (
            f"{show_count(counted.total)} in all, {show_count(counted.activated)} activated by a token, "
            f"{show_count(counted.trained)} train"
        ),
    )
    parts = {"tower": counted.tower, "adaptor": counted.adaptor, "decoder": counted.decoder}
    parts |= {"of it experts": counted.experts, "routers": counted.routers, "LoRA": counted.adapters}
    yield "", ", ".join(f"{name} {show_count(many)}" for name, many in parts.items() if many)
    planned, work = plan.schedule, plan.arithmetic
    passes = (
        f"{plan.stage.samples:,} × {plan.stage.epochs:g} epochs"
        if plan.stage.steps is None and plan.stage.samples
        else "given"
    )
    yield "steps", f"{planned.steps:,} of {planned.batch_size} samples ({passes})"
    if planned.tokens:
        yield (
            "tokens",
            (
                f"{planned.tokens_per_sample:,} a sample, {planned.tokens_per_step:,} a step, "
                f"{show_count(planned.tokens)} in all"
            ),
        )
    yield (
        "arithmetic",
        (f"{show_flop(work.total(False))} a step, {show_flop(work.total(True))} with gradient checkpointing"),
    )
    if (asked := plan.answering) is not None:
        against = f", ×{asked.ratio:.2f} of the dense model" if asked.ratio != 1 else ""
        yield (
            "answering",
            (
                f"prefill of {asked.tokens:,} tokens {show_flop(asked.prefill)}{against}; tower and adaptor "
                f"{show_flop(asked.tower)}; then {show_flop(asked.token)} a token"
            ),
        )
        yield (
            "",
            f"weights in bfloat16 {show_gib(asked.weights)}, {show_gib(asked.weights_read)} of them read for a token, "
            f"cache {show_gib(asked.cache)}",
        )
    machine = plan.machine
    yield (
        "machine",
        (
            f"{machine.gpus} × {show_gib(machine.memory)}, {show_gib(machine.reserve)} of it kept free; "
            f"{machine.rate / 1e12:,.3g} TFLOP/s ({machine.origin}), {machine.bandwidth / 1e9:,.3g} GB/s between them"
        ),
    )


def table(plan: Plan, width: int = WIDE) -> Table:
    """Every layout without and with gradient checkpointing; the columns are GiB (of small models MiB) on one GPU.

    In a terminal narrower than WIDE what is at rest stands in one column, and `working` and `step` are left out.
    """
    from rich.table import Table

    narrow = width < WIDE
    unit = GIB if any(fit.memory.peak > GIB / 2 for fit in plan.fits) else GIB / 1024
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "strategy", "again" if narrow else "checkpointing"):
        shown.add_column(name, no_wrap=True)
    parts = ("at rest", "activations") if narrow else (*AT_REST, "activations", "working")
    for name in ("batch", *parts, "peak"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("GiB" if unit == GIB else "MiB", no_wrap=True)
    for name in ("in all",) if narrow else ("step", "in all"):
        shown.add_column(name, justify="right", no_wrap=True)
    for fit in plan.fits:
        memory, chosen = fit.memory, fit is plan.best
        held = (memory.state,) if narrow else (memory.weights, memory.gradients, memory.optimizer)
        coming = (memory.activations,) if narrow else (memory.activations, memory.working)
        times = (show_time(fit.seconds), show_time(plan.seconds(fit)) if fit.fits else "–")
        shown.add_row(
            "▸" if chosen else "",
            _name(fit),
            "on" if fit.checkpointing else "off",
            f"{fit.micro} × {fit.accumulation}",
            *(f"{part / unit:,.1f}" for part in (*held, *coming, memory.peak)),
            "fits" if fit.fits else f"+{(memory.peak - plan.machine.usable) / unit:,.1f}",
            *(times[1:] if narrow else times),
            style="bold" if chosen else None if fit.fits else "dim",
        )
    return shown


def legend(plan: Plan) -> Iterator[str]:
    """What the table's words mean."""
    used = dict.fromkeys(fit.layout.strategy for fit in plan.fits)
    for strategy in used:
        yield f"{strategy}: {STRATEGIES[strategy]}"
    yield (
        "batch: samples at a time × how often before a step. Activations are what the backward pass needs; working: "
        "what only comes and goes. Not all is largest at once, so the peak is less than the sum. +: more than there is."
    )


def verdict(plan: Plan) -> str:
    """One line: what to do."""
    chosen = plan.best
    if chosen is None:
        return f"Nothing fits into {show_gib(plan.machine.usable)} a GPU."
    again = "with" if chosen.checkpointing else "without"
    hours = plan.seconds(chosen) * plan.machine.gpus / 3600
    spent = f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
    return (
        f"{_name(chosen)} {again} gradient checkpointing, {chosen.micro} samples × {chosen.accumulation} on each of "
        f"{plan.machine.gpus} GPU(s): {show_gib(chosen.memory.peak)} ({show_gib(chosen.memory.state)} of it weights, "
        f"gradients and optimizer), about {show_time(plan.seconds(chosen))} "
        f"({spent} GPU hours) at {plan.machine.rate / 1e12:,.3g} TFLOP/s each."
    )


def as_asked(plan: Plan) -> str | None:
    """One line on the recipe as it is written."""
    fit = plan.asked
    if fit is None:
        return None
    missing = fit.memory.peak - plan.machine.usable
    judged = "fits" if fit.fits else f"does not fit, {show_gib(missing)} are missing"
    again = "with" if fit.checkpointing else "without"
    return (
        f"As the recipe says ({_name(fit)}, {again} gradient checkpointing, {fit.micro} × {fit.accumulation}): "
        f"{show_gib(fit.memory.peak)}, {judged}; {show_time(plan.seconds(fit))}."
    )


def _name(fit: Fit) -> str:
    groups = fit.layout.expert_groups
    return f"{fit.layout.strategy}{groups}" if groups > 1 else fit.layout.strategy
