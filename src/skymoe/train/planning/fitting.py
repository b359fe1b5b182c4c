"""What fits: for every layout the micro-batch that is quickest within the memory, and what helps where nothing fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from skymoe.errors import UserError

from .memory import STRATEGIES, Estimator, Layout, Memory, layouts
from .schedule import Arithmetic, arithmetic, bus_traffic, traffic
from .stage import PRECISIONS, Lora, StageSettings
from .units import GIB, show_gib

MOST_GPUS = 4096
SAME = 1.02  # times closer than this are the same to an estimate
BUS = 25e9  # bytes/s between a GPU and its computer's memory that PCI Express 4 really gives


@dataclass(frozen=True, slots=True)
class Machine:
    """GPUs and what each has: bytes, of which `reserve` is kept free (CUDA's and NCCL's own, fragments of the
    allocator), FLOP/s that it really does, bytes/s that it sends. `origin`: where the rate is from."""

    gpus: int
    memory: int
    reserve: int
    rate: float
    bandwidth: float
    origin: str = "assumed"

    @property
    def usable(self) -> int:
        return self.memory - self.reserve


@dataclass(frozen=True, slots=True)
class Fit:
    """One way to run the stage. Seconds are those of an optimizer step: arithmetic and traffic, which overlap."""

    layout: Layout
    micro: int
    accumulation: int
    checkpointing: bool
    memory: Memory
    fits: bool
    computing: float
    sending: float
    sent: float

    @property
    def seconds(self) -> float:
        return max(self.computing, self.sending)


def per_gpu(stage: StageSettings, gpus: int) -> int:
    """Samples of a step on each GPU; a batch that does not divide is rounded up."""
    return ceil(stage.batch_size / gpus)


def fit_all(
    stage: StageSettings,
    machine: Machine,
    strategies: tuple[str, ...] = tuple(STRATEGIES),
    checkpointing: bool | None = None,
    micro: int | None = None,
) -> list[Fit]:
    """Every possible layout with and without checkpointing; None leaves micro-batch and checkpointing open.

    Raises:
        UserError: the strategies asked for are impossible here, or the micro-batch does not divide the batch.
    """
    share = per_gpu(stage, machine.gpus)
    if micro is not None and share % micro:
        raise UserError(
            f"--micro-batch {micro} does not divide the {share} samples that each GPU has in a step"
        )
    estimator, work = Estimator(stage), arithmetic(stage)
    found = []
    for layout in layouts(stage, machine.gpus, strategies):
        for again in (False, True) if checkpointing is None else (checkpointing,):
            choices = [micro] if micro else _divisors(share)
            tried = [fit(estimator, work, machine, layout, one, share // one, again) for one in choices]
            good = [one for one in tried if one.fits]
            found.append(min(good, key=lambda one: (one.seconds, -one.micro)) if good else tried[0])
    if not found:
        experts = stage.architecture.experts
        if "ep" in strategies and not experts:
            raise UserError(
                f"--strategy ep needs experts; stage {stage.name!r} has none: choose another --stage"
            )
        raise UserError(
            f"{', '.join(strategies)} cannot spread {experts} experts over {machine.gpus} GPU(s): choose ddp, fsdp, or "
            "for ep a number of GPUs with a divisor in common"
        )
    return found


def fit_asked(stage: StageSettings, machine: Machine) -> Fit | None:
    """The stage run as its recipe says; None where it says nothing, or nothing that this machine can do."""
    asked, share = stage.asked, per_gpu(stage, machine.gpus)
    if asked is None:
        return None
    micro = min(asked.micro or share, share)
    alone = machine.gpus == 1 and asked.strategy != "ddp"
    found = layouts(stage, machine.gpus, ("ddp" if alone else asked.strategy,))
    if not found or share % micro:
        return None
    return fit(
        Estimator(stage), arithmetic(stage), machine, found[0], micro, share // micro, asked.checkpointing
    )


def fit(
    estimator: Estimator,
    work: Arithmetic,
    machine: Machine,
    layout: Layout,
    micro: int,
    accumulation: int,
    checkpointing: bool,
) -> Fit:
    memory = estimator.memory(layout, micro, checkpointing, accumulates=accumulation > 1)
    sent = traffic(estimator, layout, accumulation, checkpointing)
    return Fit(
        layout=layout,
        micro=micro,
        accumulation=accumulation,
        checkpointing=checkpointing,
        memory=memory,
        fits=memory.peak <= machine.usable,
        computing=work.total(checkpointing) / (machine.gpus * machine.rate),
        sending=sent / machine.bandwidth + bus_traffic(estimator, layout, accumulation) / BUS,
        sent=sent,
    )


def best(fits: list[Fit]) -> Fit | None:
    """The quickest that fits, of nearly equal ones that with the most room; offloading, which asks much of the computer
    beside the GPUs, only where nothing else fits."""
    good = [one for one in fits if one.fits]
    good = [one for one in good if one.layout.strategy != "offload"] or good
    quickest = min((one.seconds for one in good), default=0.0)
    return min(
        (one for one in good if one.seconds <= SAME * quickest), key=lambda one: one.memory.peak, default=None
    )


def remedies(stage: StageSettings, machine: Machine, fits: list[Fit]) -> list[str]:
    """What makes the stage fit where nothing but offloading does; each was computed, none is a guess."""
    if any(one.fits and one.layout.strategy != "offload" for one in fits):
        return []
    least = min((one.memory.peak for one in _smallest(stage, machine)), default=0.0)
    found = []
    if least:
        missing = least - machine.usable
        if missing > 0:
            found.append(
                f"the least is {show_gib(least)} a GPU, {show_gib(missing)} more than the "
                f"{show_gib(machine.usable)} that {show_gib(machine.memory)} leave"
            )
        else:
            found.append(
                f"--checkpointing on, or a smaller --micro-batch: the least is {show_gib(least)} a GPU"
            )
    if (gpus := _enough_gpus(stage, machine)) is not None:
        found.append(f"--gpus {gpus} of this size, with fsdp and gradient checkpointing")
    for change, changed in _changes(stage):
        if _fits_somehow(changed, machine):
            found.append(change)
    if (
        off := next((one for one in fits if one.layout.strategy == "offload" and one.fits), None)
    ) is not None:
        found.append(
            f"offload: {show_gib(off.memory.host * machine.gpus)} of the computer's memory take weights, gradients and "
            "optimizer; slow, because all of them cross its bus in every step"
        )
    return found


def _smallest(stage: StageSettings, machine: Machine) -> list[Fit]:
    ways = tuple(name for name in STRATEGIES if name != "offload")
    return fit_all(stage, machine, ways, checkpointing=True, micro=1)


def _fits_somehow(stage: StageSettings, machine: Machine) -> bool:
    return any(one.fits for one in _smallest(stage, machine))


def _enough_gpus(stage: StageSettings, machine: Machine) -> int | None:
    """The smallest number of such GPUs on which FSDP2 fits. More GPUs never need more memory each, so: halving."""
    estimator = Estimator(stage)

    def enough(gpus: int) -> bool:
        accumulates = per_gpu(stage, gpus) > 1
        return estimator.memory(Layout("fsdp", gpus), 1, True, accumulates).peak <= machine.usable

    low, high = machine.gpus, machine.gpus
    while not enough(high):
        low, high = high, high * 2
        if high > MOST_GPUS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high > machine.gpus else None


def _changes(stage: StageSettings) -> Iterator[tuple[str, StageSettings]]:
    model = stage.architecture
    if not stage.changeable:
        return
    if stage.precision.name in ("fp32", "bf16-autocast"):
        yield "--precision bf16: what is frozen takes half", replace(stage, precision=PRECISIONS["bf16"])
    if stage.lora is None and not stage.tower_only:
        targets = ("experts.gate_up_proj", "experts.down_proj") if model.experts else ("q_proj", "v_proj")
        lora = replace(stage, lora=Lora(16, targets), trains=None, precision=PRECISIONS["bf16"])
        yield f"--lora 16 --lora-targets {','.join(targets)}: adapters learn in place of the weights", lora
    if stage.precision.name != "pure-bf16":
        pure = replace(stage, precision=PRECISIONS["pure-bf16"])
        yield "--precision pure-bf16: 8 bytes a trained weight, not 16, but small steps are lost", pure
    step = model.expert_layers[1] - model.expert_layers[0] if len(model.expert_layers) > 1 else 1
    for experts in (4, 2):
        if model.experts > experts >= model.top_k:
            fewer = model.with_experts(experts, model.top_k, step, model.expert_layers[0])
            yield f"--experts {experts}: another, smaller model", replace(stage, architecture=fewer)
            break


def _divisors(number: int) -> list[int]:
    return [one for one in range(1, number + 1) if number % one == 0]


def default_reserve(memory: int) -> int:
    """4 % and 1 GiB: CUDA's context and NCCL's buffers take about one, fragments grow with what is there."""
    return GIB + memory // 25
